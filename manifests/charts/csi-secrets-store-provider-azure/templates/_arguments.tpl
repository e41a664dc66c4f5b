{{/* Every flag, also with its default: a value of false must arrive too. */}}
{{- define "akv.arguments" -}}
- --endpoint=unix:///var/run/secrets-store-csi-providers/{{ .Values.providerName }}.sock
- {{ printf "--cloud-name=%s" .Values.cloudName | quote }}
- --construct-pem-chain={{ .Values.constructPEMChain }}
- --write-cert-and-key-in-separate-files={{ .Values.writeCertAndKeyInSeparateFiles }}
- --log-format-json={{ .Values.logFormatJSON }}
- -v={{ .Values.logVerbosity | int }}
- --healthz-port={{ .Values.linux.healthzPort | int }}
- {{ printf "--healthz-path=%s" .Values.linux.healthzPath | quote }}
- {{ printf "--healthz-timeout=%s" .Values.linux.healthzTimeout | quote }}
- {{ printf "--metrics-backend=%s" .Values.metricsBackend | quote }}
- --prometheus-port={{ include "akv.metricsPort" . }}
- --metrics-object-name={{ .Values.metricsObjectName }}
- --enable-pprof={{ .Values.enablePprof }}
- --pprof-port={{ .Values.pprofPort | int }}
{{- with .Values.tokenProxyUrl }}
- {{ printf "--token-proxy-url=%s" . | quote }}
{{- end }}
{{- with .Values.sniName }}
- {{ printf "--sni-name=%s" . | quote }}
{{- end }}
{{- range (kindIs "slice" .Values.serviceAccountIssuer | ternary .Values.serviceAccountIssuer (list .Values.serviceAccountIssuer)) }}
{{- with . }}
- {{ printf "--service-account-issuer=%s" . | quote }}
{{- end }}
{{- end }}
- {{ printf "--identity-proof-max-age=%s" .Values.identityProofMaxAge | quote }}
- {{ printf "--republish-max-age=%s" .Values.republishMaxAge | quote }}
- {{ printf "--republish-check=%s" .Values.republishCheck | quote }}
- {{ printf "--object-cache-ttl=%s" .Values.objectCacheTtl | quote }}
- {{ printf "--mount-timeout=%s" .Values.mountTimeout | quote }}
- --max-call-recv-msg-size={{ .Values.maxCallRecvMsgSize | int }}
- --large-volume-memory={{ .Values.largeVolumeMemory | int }}
{{- with .Values.linux.customUserAgent }}
- {{ printf "--custom-user-agent=%s" . | quote }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

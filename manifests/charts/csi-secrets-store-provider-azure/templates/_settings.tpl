{{/* "true" or "": a boolean may be a text, as `--set-string` gives it. A text is true in a template, "false" too. */}}
{{- define "akv.true" -}}
{{- if eq (toString .) "true" -}}true{{- end -}}
{{- end -}}

{{- define "akv.metricsPort" -}}
{{- .Values.linux.metricsAddr | default .Values.metricsAddr | toString | trimPrefix ":" -}}
{{- end -}}

{{/* Ten seconds more than a mount may take, so that a provider that stops finishes its mounts in flight. */}}
{{- define "akv.gracePeriod" -}}
{{- $given := toString .Values.linux.terminationGracePeriodSeconds -}}
{{- $minutes := regexFind "^[0-9]+m" .Values.mountTimeout | trimSuffix "m" | int -}}
{{- $seconds := regexFind "[0-9]+s$" .Values.mountTimeout | trimSuffix "s" | int -}}
{{- $given | default (add (mul 60 $minutes) $seconds 10) -}}
{{- end -}}

{{/* The seconds of a duration in Go's format: 90 for 1m30s. */}}
{{- define "akv.seconds" -}}
{{- $units := dict "h" 3600 "m" 60 "s" 1 "ms" 0.001 "us" 0.000001 "µs" 0.000001 "ns" 0.000000001 -}}
{{- $seconds := 0.0 -}}
{{- range regexFindAll "[0-9.]+[^0-9.]+" . -1 -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- $seconds = addf $seconds (mulf $number (get $units (trimPrefix $number .))) -}}
{{- end -}}
{{- $seconds -}}
{{- end -}}

{{/* Kubernetes takes a number only as a number, and `--set-string` gives a text. */}}
{{- define "akv.updateStrategy" -}}
{{- $strategy := deepCopy .Values.linux.updateStrategy -}}
{{- range $name, $value := $strategy.rollingUpdate -}}
{{- if regexMatch "^[0-9]+$" (toString $value) -}}
{{- $_ := set $strategy.rollingUpdate $name (int $value) -}}
{{- end -}}
{{- end -}}
{{- toYaml $strategy -}}
{{- end -}}

{{/* "true" where Helm can ask an API server, and "" in `helm template`, `--dry-run=client` and Argo CD. Every cluster has
the namespace kube-system. */}}
{{- define "akv.asksCluster" -}}
{{- if lookup "v1" "Namespace" "" "kube-system" -}}true{{- end -}}
{{- end -}}

{{/* "true" or "false". Compat: provider-azure's pods are on the host network. A swap must not move them off it, so an empty
value keeps what the DaemonSet in the cluster has. */}}
{{- define "akv.hostNetwork" -}}
{{- $found := lookup "apps/v1" "DaemonSet" .Release.Namespace (include "akv.fullname" .) | default dict -}}
{{- $kept := dig "spec" "template" "spec" "hostNetwork" false $found -}}
{{- toString .Values.hostNetwork | default (toString $kept) -}}
{{- end -}}

{{- define "akv.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "akv.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $full := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "akv.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default "csi-secrets-store-provider-azure" -}}
{{- end -}}

{{/* The label app is the selector, as in provider-azure's chart. The others say where an object comes from. */}}
{{- define "akv.labels" -}}
app: {{ include "akv.name" . }}
app.kubernetes.io/name: {{ include "akv.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end -}}

{{- define "akv.metricsPort" -}}
{{- .Values.linux.metricsAddr | default .Values.metricsAddr | toString | trimPrefix ":" -}}
{{- end -}}

{{/* The chart's name for the provider azure, as in provider-azure's chart. */}}
{{- define "akv.ownName" -}}
{{- $other := printf "akv-provider-%s" (.Values.providerName | lower | replace "_" "-") -}}
{{- eq .Values.providerName "azure" | ternary .Chart.Name $other -}}
{{- end -}}

{{- define "akv.name" -}}
{{- .Values.nameOverride | default (include "akv.ownName" .) | trunc 63 | trimAll "-" -}}
{{- end -}}

{{- define "akv.fullname" -}}
{{- $name := .Values.nameOverride | default (include "akv.ownName" .) -}}
{{- $full := $name -}}
{{- /* Only one release can have the socket of another provider name, so its names need no release name to be unique. */}}
{{- if eq .Values.providerName "azure" -}}
{{- $full = contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- end -}}
{{- .Values.fullnameOverride | default $full | trunc 63 | trimAll "-" -}}
{{- end -}}

{{/* provider-azure's chart has one name for the ServiceAccount of all releases, so a second provider needs another. */}}
{{- define "akv.serviceAccountName" -}}
{{- $default := eq .Values.providerName "azure" | ternary "csi-secrets-store-provider-azure" (include "akv.fullname" .) -}}
{{- .Values.serviceAccount.name | default $default -}}
{{- end -}}

{{/* Where an object comes from. */}}
{{- define "akv.commonLabels" -}}
{{- $own := dict
  "app.kubernetes.io/name" (include "akv.name" .)
  "app.kubernetes.io/instance" .Release.Name
  "app.kubernetes.io/managed-by" .Release.Service
  "app.kubernetes.io/version" .Chart.AppVersion
  "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_")
-}}
{{- toYaml (merge $own (omit .Values.commonLabels "app")) -}}
{{- end -}}

{{/* The label app is the selector, as in provider-azure's chart. */}}
{{- define "akv.labels" -}}
{{- toYaml (merge (dict "app" (include "akv.name" .)) (include "akv.commonLabels" . | fromYaml)) -}}
{{- end -}}

{{- define "akv.image" -}}
{{- $image := .Values.linux.image -}}
{{- if and $image.digest (not $image.tag) -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- with $image.digest }}@{{ . }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* Rejects, before anything is changed, what provider-azure's chart can do and this one cannot. */}}
{{- define "akv.refusals" -}}
{{- if dig "enabled" false (.Values.windows | default dict) -}}
{{- fail "windows.enabled: this provider runs on Linux nodes alone. Keep a release of provider-azure's chart for the Windows nodes (linux.enabled=false there), and set windows.enabled=false here." -}}
{{- end -}}
{{- if .Values.enableArcExtension -}}
{{- fail "enableArcExtension: the Azure Arc extension brings its own provider; this chart has none of its parts. Set enableArcExtension=false." -}}
{{- end -}}
{{- if regexMatch "/oss/(v2/)?azure/secrets-store/provider-azure$" .Values.linux.image.repository -}}
{{- fail "linux.image.repository names the image of provider-azure, most likely out of its chart's values (helm upgrade --reuse-values). Set it to yours, or upgrade with --reset-then-reuse-values." -}}
{{- end -}}
{{- $driver := index .Values "secrets-store-csi-driver" | default dict -}}
{{- $install := dig "install" "unsaid" $driver | toString -}}
{{- if eq $install "true" -}}
{{- fail "secrets-store-csi-driver.install: this chart does not bring the driver, so this upgrade would remove the one that the release has. Install the driver from its own chart and set secrets-store-csi-driver.install=false, or leave this release as it is with linux.enabled=false and install the provider as a release of its own: docs/install.md." -}}
{{- end -}}
{{- if and .Release.IsUpgrade (eq $install "unsaid") -}}
{{- $found := lookup "storage.k8s.io/v1" "CSIDriver" "" "secrets-store.csi.k8s.io" -}}
{{- $owner := dig "metadata" "annotations" dict ($found | default dict) -}}
{{- if and (eq (dig "meta.helm.sh/release-name" "" $owner) .Release.Name) (eq (dig "meta.helm.sh/release-namespace" "" $owner) .Release.Namespace) -}}
{{- fail "this release has installed the Secrets Store CSI driver, and this chart does not bring it: the upgrade would remove it. Leave this release as it is with linux.enabled=false, and install the provider as a release of its own: docs/install.md. To remove the driver on purpose, set secrets-store-csi-driver.install=false." -}}
{{- end -}}
{{- end -}}
{{- if and .Values.caBundle.configMap .Values.caBundle.pem -}}
{{- fail "caBundle: configMap and pem cannot both be set." -}}
{{- end -}}
{{- end -}}

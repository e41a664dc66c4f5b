{{/* Rejects, before anything is changed, what cannot work, and reports every problem at once. Each template begins with
this, since Helm renders them in an order of its own. */}}
{{- define "akv.guards" -}}
{{- include "akv.missingValues" . -}}
{{- $problems := concat
  (include "akv.imageProblems" . | fromYamlArray)
  (include "akv.driverProblems" . | fromYamlArray)
  (include "akv.foreignProblems" . | fromYamlArray)
  (include "akv.networkProblems" . | fromYamlArray)
  (include "akv.updateProblems" . | fromYamlArray)
  (include "akv.durationProblems" . | fromYamlArray)
  (include "akv.urlProblems" . | fromYamlArray)
-}}
{{- if and .Values.caBundle.configMap .Values.caBundle.pem -}}
{{- $problems = append $problems "caBundle: configMap and pem are both set; set one of them." -}}
{{- end -}}
{{- if $problems -}}
{{- fail (printf "\n- %s" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{/* `helm upgrade --reuse-values` replaces the defaults of this chart by those of the release's last chart. */}}
{{- define "akv.missingValues" -}}
{{- $missing := list -}}
{{- range list "providerName" "commonLabels" "logFormatJSON" "cloudName" "cloudEnvironment" "constructPEMChain" "writeCertAndKeyInSeparateFiles" "tokenProxyUrl" "sniName" "serviceAccountIssuer" "identityProofMaxAge" "republishMaxAge" "republishCheck" "objectCacheTtl" "mountTimeout" "maxCallRecvMsgSize" "largeVolumeMemory" "metricsAddr" "metricsBackend" "metricsObjectName" "enablePprof" "pprofPort" "hostNetwork" "driver" "proxy" "caBundle" "extraEnv" "extraArgs" "rbac" "serviceAccount" "linux" "podMonitor" "prometheusRule" "dashboard" "admissionPolicy" "networkPolicy" "test" -}}
{{- if not (hasKey $.Values .) -}}
{{- $missing = append $missing . -}}
{{- end -}}
{{- end -}}
{{- range list "image" "terminationGracePeriodSeconds" "securityContext" "dnsConfig" "metricsAddr" -}}
{{- if not (hasKey ($.Values.linux | default dict) .) -}}
{{- $missing = append $missing (printf "linux.%s" .) -}}
{{- end -}}
{{- end -}}
{{- if $missing -}}
{{- fail (printf "values are missing: %s. Most likely helm upgrade --reuse-values kept the defaults of another chart, or of another version of this chart; upgrade with --reset-then-reuse-values (Helm 3.14)." (join ", " $missing)) -}}
{{- end -}}
{{- end -}}

{{- define "akv.imageProblems" -}}
{{- $problems := list -}}
{{- $image := .Values.linux.image -}}
{{- if not $image.repository -}}
{{- $problems = append $problems "linux.image.repository is not set; name your registry's image of akv-provider, such as registry.example.com/akv-provider." -}}
{{- else if regexMatch "(^|[/_-])provider-azure$" $image.repository -}}
{{- $problems = append $problems (printf "linux.image.repository: %s is an image of provider-azure, which does not know the flags of this chart; name your image of akv-provider. If the value comes from the release, set both linux.image.repository and linux.image.tag." $image.repository) -}}
{{- end -}}
{{- if regexMatch "^v1\\." $image.tag -}}
{{- $problems = append $problems (printf "linux.image.tag: %s is a version of provider-azure; set it to a version of akv-provider, such as %s." $image.tag .Chart.AppVersion) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "akv.driverProblems" -}}
{{- $problems := list -}}
{{- $driver := index .Values "secrets-store-csi-driver" | default dict -}}
{{- $install := dig "install" "" $driver | toString -}}
{{- $owner := dig "metadata" "annotations" dict (lookup "storage.k8s.io/v1" "CSIDriver" "" "secrets-store.csi.k8s.io" | default dict) -}}
{{- $owned := and .Release.IsUpgrade (eq (dig "meta.helm.sh/release-name" "" $owner) .Release.Name) (eq (dig "meta.helm.sh/release-namespace" "" $owner) .Release.Namespace) -}}
{{- if $owned -}}
{{- $problems = append $problems "this release has installed the Secrets Store CSI driver, and the upgrade would remove it, since this chart does not bring it. Change only the image in provider-azure's chart, or first move the driver to a release of its own: docs/install.md." -}}
{{- else if and $driver (ne $install "false") -}}
{{- $problems = append $problems "secrets-store-csi-driver: this chart does not bring the driver that these values ask for. Install the driver from its own chart with these settings, and set secrets-store-csi-driver.install=false here. If this release has installed the driver, change only the image in provider-azure's chart: docs/install.md." -}}
{{- else if not (or .Values.driver.installedBy (eq $install "false") (include "akv.asksCluster" .)) -}}
{{- $problems = append $problems "driver.installedBy is not set, and Helm cannot ask the cluster here (helm template, --dry-run=client, Argo CD). Set it to what installs the Secrets Store CSI driver: release, addon or manifests. If it is this release or application, as with provider-azure's chart by default, do not go on: the driver would be removed, and its CRDs with every SecretProviderClass: docs/gitops.md." -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{/* Values of provider-azure's chart for parts that this chart does not have. */}}
{{- define "akv.foreignProblems" -}}
{{- $problems := list -}}
{{- if include "akv.true" (dig "enabled" false (.Values.windows | default dict)) -}}
{{- $problems = append $problems "windows.enabled: this provider runs only on Linux nodes. Change only the image in provider-azure's chart, or keep a release of it for the Windows nodes and set windows.enabled=false here: docs/install.md." -}}
{{- end -}}
{{- $arc := list -}}
{{- range list "arc" "Azure" "amacoreagent" "fluentd" "mdm" "msiAdapter" "promMdmConverter" "telegraf" -}}
{{- if index $.Values . -}}
{{- $arc = append $arc . -}}
{{- end -}}
{{- end -}}
{{- if include "akv.true" .Values.enableArcExtension -}}
{{- $arc = prepend $arc "enableArcExtension" -}}
{{- end -}}
{{- if $arc -}}
{{- $problems = append $problems (printf "%s: the Azure Arc extension brings its own provider, and this chart has none of its parts. Remove these values, or leave the release to the extension." (join ", " $arc)) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{- define "akv.networkProblems" -}}
{{- $problems := list -}}
{{- if and (eq (toString .Values.hostNetwork) "") (not (include "akv.asksCluster" .)) -}}
{{- $problems = append $problems "hostNetwork is not set, and Helm cannot ask the cluster here (helm template, --dry-run=client, Argo CD). Set it to true to stay on the host network, as provider-azure is, or to false: docs/install.md lists what changes." -}}
{{- else if eq (include "akv.hostNetwork" .) "true" -}}
{{- if include "akv.true" .Values.networkPolicy.enabled -}}
{{- $problems = append $problems "networkPolicy.enabled: a NetworkPolicy has no effect on pods of the host network. Set networkPolicy.enabled=false, or hostNetwork=false." -}}
{{- end -}}
{{- if and (ne .Values.providerName "azure") (or (eq (int .Values.linux.healthzPort) 8989) (eq (include "akv.metricsPort" .) "8898")) -}}
{{- $problems = append $problems "hostNetwork: the ports 8989 and 8898 of a node belong to the provider azure. Set linux.healthzPort and metricsAddr to free ports, or hostNetwork=false." -}}
{{- end -}}
{{- end -}}
{{- if and (include "akv.true" .Values.podMonitor.enabled) (eq (include "akv.metricsPort" .) "0") -}}
{{- $problems = append $problems "podMonitor.enabled: metricsAddr turns metrics off. Set a port, or podMonitor.enabled=false." -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{/* Kubernetes accepts exactly one of the two values: ValidateRollingUpdateDaemonSet in pkg/apis/apps/validation. It
ignores both where the type is OnDelete. */}}
{{- define "akv.updateProblems" -}}
{{- $problems := list -}}
{{- $strategy := .Values.linux.updateStrategy | default dict -}}
{{- $rolling := $strategy.rollingUpdate | default dict -}}
{{- $surge := $rolling.maxSurge | default 0 | toString -}}
{{- $unavailable := kindIs "invalid" $rolling.maxUnavailable | ternary 1 $rolling.maxUnavailable | toString -}}
{{- $hasSurge := ne (trimSuffix "%" $surge) "0" -}}
{{- $hasUnavailable := ne (trimSuffix "%" $unavailable) "0" -}}
{{- if eq ($strategy.type | default "RollingUpdate") "RollingUpdate" -}}
{{- if and $hasSurge (eq (include "akv.hostNetwork" .) "true") -}}
{{- $problems = append $problems "linux.updateStrategy.rollingUpdate.maxSurge: two pods cannot share a node's ports on the host network. Set maxSurge to 0 and maxUnavailable to 1, or hostNetwork=false." -}}
{{- else if and $hasSurge $hasUnavailable -}}
{{- $problems = append $problems (printf "linux.updateStrategy.rollingUpdate: Kubernetes rejects maxSurge (%s) together with maxUnavailable (%s, by default 1). Set maxUnavailable to 0 for a surge, or maxSurge to 0." $surge $unavailable) -}}
{{- else if not (or $hasSurge $hasUnavailable) -}}
{{- $problems = append $problems "linux.updateStrategy.rollingUpdate: Kubernetes rejects 0 for both maxSurge and maxUnavailable, since no pod could be replaced. Set maxUnavailable to 1, or maxSurge to 1 for a surge." -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{/* The schema checks the form of durations. */}}
{{- define "akv.durationProblems" -}}
{{- $problems := list -}}
{{- range list "identityProofMaxAge" "republishMaxAge" "objectCacheTtl" -}}
{{- $age := index $.Values . | toString -}}
{{- if gt (include "akv.seconds" $age | float64) 86400.0 -}}
{{- $problems = append $problems (printf "%s: the provider rejects %s, since it is longer than a day. Set it to 24h or less." . $age) -}}
{{- end -}}
{{- end -}}
{{- $timeout := .Values.linux.healthzTimeout | toString -}}
{{- if le (include "akv.seconds" $timeout | float64) 0.0 -}}
{{- $problems = append $problems (printf "linux.healthzTimeout: the provider rejects %s, since no probe could succeed. Set it to a time such as 5s." $timeout) -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

{{/* The schema checks only that a URL begins with https://. */}}
{{- define "akv.urlProblems" -}}
{{- $problems := list -}}
{{- $hasHost := `^https://([^\[\]/?#@:<>^|%\\\s]+|\[[0-9A-Fa-f:.]+\])(:([0-9]{0,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?#]|$)` -}}
{{- with .Values.tokenProxyUrl -}}
{{- if not (regexMatch $hasHost .) -}}
{{- $problems = append $problems (printf "tokenProxyUrl: %s has no valid host. Set an https URL without a user, such as https://proxy.example.com, or leave the value empty for the API server." .) -}}
{{- end -}}
{{- end -}}
{{- range (kindIs "slice" .Values.serviceAccountIssuer | ternary .Values.serviceAccountIssuer (list .Values.serviceAccountIssuer)) -}}
{{- if and . (not (regexMatch $hasHost .)) -}}
{{- $problems = append $problems (printf "serviceAccountIssuer: %s has no valid host. Set the issuer letter by letter as in the cluster's tokens, or leave the value empty." .) -}}
{{- end -}}
{{- end -}}
{{- range list "activeDirectoryEndpoint" "keyVaultEndpoint" -}}
{{- $url := get $.Values.cloudEnvironment . -}}
{{- if and $url (not (regexMatch $hasHost $url)) -}}
{{- $problems = append $problems (printf "cloudEnvironment.%s: %s has no valid host. Set the https URL of the cloud's endpoint." . $url) -}}
{{- end -}}
{{- end -}}
{{- toYaml $problems -}}
{{- end -}}

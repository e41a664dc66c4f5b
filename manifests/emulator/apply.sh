#!/bin/sh
# Installs the emulator in the cluster of the kubeconfig. It needs kubectl and openssl, and changes these namespaces:
# akv-emulator, and the provider's, for the ConfigMap with the certificate to trust.
#
#   EMULATOR_IMAGE       another image than akv-emulator:0.1.0
#   PROVIDER_NAMESPACE   another namespace than kube-system
set -eu
cd "$(dirname "$0")"
kubectl=${KUBECTL:-kubectl}
files=$(mktemp -d)
trap 'rm -r "$files"' EXIT

apply() { "$kubectl" apply --filename "${1:--}"; }
create() { "$kubectl" create --dry-run=client --output yaml "$@" | apply; }

"$kubectl" kustomize . | sed "s|image: akv-emulator:.*|image: ${EMULATOR_IMAGE:-akv-emulator:0.1.0}|" >"$files/emulator.yaml"

# A certificate authority. A second run keeps the first one, which the provider already trusts.
if ! "$kubectl" --namespace akv-emulator get secret akv-emulator-ca >"$files/found" 2>&1; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj '/CN=akv-emulator CA' \
        -addext keyUsage=critical,keyCertSign,cRLSign -keyout "$files/tls.key" -out "$files/tls.crt"
    create namespace akv-emulator
    create --namespace akv-emulator secret tls akv-emulator-ca --cert="$files/tls.crt" --key="$files/tls.key"
    create --namespace "${PROVIDER_NAMESPACE:-kube-system}" configmap akv-emulator-ca \
        --from-file=ca-bundle.crt="$files/tls.crt"
fi

# The cluster's issuer of service-account tokens, and its keys.
"$kubectl" get --raw /.well-known/openid-configuration | sed 's/.*"issuer":"\([^"]*\)".*/\1/' >"$files/issuer"
"$kubectl" get --raw /openid/v1/jwks >"$files/jwks.json"
create --namespace akv-emulator configmap akv-emulator-cluster \
    --from-literal=issuer="$(cat "$files/issuer")" --from-file="$files/jwks.json"

apply "$files/emulator.yaml"
"$kubectl" --namespace akv-emulator rollout status deployment/akv-emulator --timeout=2m

#!/bin/sh
# Makes a cluster with kind, loads the images that `just image` has built, runs the acceptance there, and removes the
# cluster. Arguments are those of the acceptance. It needs kind, kubectl, helm, openssl and Docker.
set -eu
cd "$(dirname "$0")/../.."
name=akv-acceptance
files=$(mktemp -d)
trap 'kind delete cluster --name "$name"; rm -r "$files"' EXIT

export KUBECONFIG=$files/kubeconfig
kind create cluster --name "$name" --wait 2m
for image in akv-provider akv-emulator; do
    kind load image-archive --name "$name" "target/image/$image.tar"
done
node=$name-control-plane
# The run sets IMDS_ADDRESS. Both chains: the provider may be on the host network.
lead_imds="for chain in PREROUTING OUTPUT; do docker exec $node iptables --table nat --insert \$chain \
    --destination 169.254.169.254 --protocol tcp --dport 80 --jump DNAT --to-destination \$IMDS_ADDRESS; done"
cargo run --locked --package cluster-acceptance -- \
    --restart-kubelet="docker exec $node systemctl restart kubelet" --lead-imds="$lead_imds" "$@"

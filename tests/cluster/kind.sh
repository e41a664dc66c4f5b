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
cargo run --locked --package cluster-acceptance -- \
    --restart-kubelet="docker exec $name-control-plane systemctl restart kubelet" "$@"

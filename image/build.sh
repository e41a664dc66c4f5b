#!/bin/sh
# Builds the images of the provider and the emulator as archives in target/image, without Docker and without a registry.
#
#   image/build.sh [PROFILE]     a profile of Cargo; default release
#
# It needs buildah, and runs the last stages of the two Dockerfiles on binaries that were compiled here. So it does not
# show that the Dockerfile's first stage compiles.
set -eu
cd "$(dirname "$0")/.."
profile=${1:-release}
out=target/image
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
commit=$(git rev-parse HEAD)
case $profile in dev) binaries=target/debug ;; *) binaries=target/$profile ;; esac

AKV_COMMIT=$commit cargo build --locked --profile "$profile" --bin akv-provider
cargo build --locked --profile "$profile" --package akv-emulator --bin akv-emulator

build() { # NAME DOCKERFILE
    image=docker.io/library/$1:$version
    image/rootfs.sh "$binaries/$1" "$out/$1/rootfs"
    # A build with line tables is large. A release has none.
    strip "$out/$1/rootfs/bin/$1"
    # The commit's time in each file, so that the same binary gives the same image.
    buildah --storage-driver vfs build --quiet --isolation chroot --build-context "build=$out/$1" --file "$2" \
        --timestamp "$(git log -1 --format=%ct)" --build-arg "AKV_COMMIT=$commit" --build-arg "AKV_VERSION=$version" \
        --tag "$image" .
    rm -f "$out/$1.tar"
    buildah --storage-driver vfs push --quiet "$image" "oci-archive:$out/$1.tar:$image"
    ls -l "$out/$1.tar"
}

build akv-provider Dockerfile
build akv-emulator emulator/Dockerfile

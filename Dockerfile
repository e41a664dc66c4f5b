# syntax=docker/dockerfile:1

# Each platform is compiled natively, on a builder of its own. The TLS library is C and assembly, and a cross compiler
# would be one more tool to trust.
# A release replaces the tag by a digest: docs/image.md.
FROM rust:1.95.0-slim-bookworm AS build
# The SBOM must also list the crates. Cargo.lock names them here, and nothing names them in the last stage.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
# Uses the image's compiler instead of that of rust-toolchain.toml, which comes with components for developers.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src

# Compiles dependencies first, with stand-ins for the sources: this layer lasts until Cargo.lock changes.
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY emulator/Cargo.toml emulator/
COPY tests/cluster/Cargo.toml tests/cluster/
COPY tests/manifests/Cargo.toml tests/manifests/
COPY tests/support/Cargo.toml tests/support/
COPY proto proto
COPY image/hot-code.ld image/
RUN mkdir src emulator/src \
    && touch src/lib.rs emulator/src/lib.rs tests/cluster/main.rs tests/manifests/lib.rs tests/support/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --locked --release --bin akv-provider

COPY src src
# The commit of the build, for --version and the metrics.
ARG AKV_COMMIT=""
# Cargo compares file times, and the sources are older than the stand-ins.
RUN touch src/lib.rs src/main.rs \
    && AKV_COMMIT="${AKV_COMMIT}" cargo build --locked --release --bin akv-provider

COPY LICENSE ./
COPY image image
RUN image/rootfs.sh target/release/akv-provider /rootfs

# glibc, libgcc, and the CA certificates for TLS to Azure: no shell, no package manager.
FROM scratch
ARG AKV_COMMIT=""
ARG AKV_VERSION=0.1.0
LABEL org.opencontainers.image.title="akv-provider" \
      org.opencontainers.image.description="Azure Key Vault provider for the Kubernetes Secrets Store CSI driver" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${AKV_VERSION}" \
      org.opencontainers.image.revision="${AKV_COMMIT}"
COPY --from=build /rootfs /
# By number, so that kubelet can verify that the user is not root. The manifests use root, for the socket's directory.
USER 65532:65532
ENTRYPOINT ["/bin/akv-provider"]

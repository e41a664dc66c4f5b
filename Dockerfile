# syntax=docker/dockerfile:1

# Each platform is compiled on itself (docker buildx build --platform linux/amd64,linux/arm64, with a builder of each or
# under emulation): the TLS library is C and assembly, and a cross compiler for it is one more thing to trust.
FROM rust:1.95.0-slim-bookworm AS build
# The SBOM lists the crates as well, which Cargo.lock names here and nothing names in the last stage.
ARG BUILDKIT_SBOM_SCAN_STAGE=true
# The compiler that is there, rather than rust-toolchain.toml's, which comes with components for developers.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src

# Dependencies first, with sources that stand in for ours: this layer lasts until Cargo.lock changes.
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY emulator/Cargo.toml emulator/
COPY tests/manifests/Cargo.toml tests/manifests/
COPY proto proto
RUN mkdir src emulator/src \
    && touch src/lib.rs emulator/src/lib.rs tests/manifests/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --locked --release --bin akv-provider

COPY src src
# What the build was made from, for --version and the metrics.
ARG AKV_COMMIT=""
# Cargo goes by file times, and these are older than the stand-ins.
RUN touch src/lib.rs src/main.rs \
    && AKV_COMMIT="${AKV_COMMIT}" cargo build --locked --release --bin akv-provider

# glibc, libgcc, and the CA certificates that TLS to Azure is checked against: no shell, no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG AKV_COMMIT=""
ARG AKV_VERSION=0.1.0
LABEL org.opencontainers.image.title="akv-provider" \
      org.opencontainers.image.description="Azure Key Vault provider for the Kubernetes Secrets Store CSI driver" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${AKV_VERSION}" \
      org.opencontainers.image.revision="${AKV_COMMIT}"
COPY LICENSE /licenses/akv-provider
COPY --from=build /src/target/release/akv-provider /bin/akv-provider
# By number, so that kubelet can see that it is not root. The manifests say root, for the socket's directory.
USER 65532:65532
ENTRYPOINT ["/bin/akv-provider"]

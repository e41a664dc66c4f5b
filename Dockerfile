# syntax=docker/dockerfile:1
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release --bin akv-provider \
    && cp target/release/akv-provider /akv-provider

# glibc, libgcc, and the CA certificates that TLS to Azure is checked against; no shell.
FROM gcr.io/distroless/cc-debian12
COPY --from=build /akv-provider /bin/akv-provider
ENTRYPOINT ["/bin/akv-provider"]

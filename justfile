# Lists all recipes. Arguments follow the name: `just bench --quick`.

default:
    @just --list

# Measures the cost of a mount and prints one table; arguments as in docs/benchmark.md.
bench *arguments:
    cargo bench --locked -- {{arguments}}

# Mounts for an hour with rotations, faults and restarts, and prints one table: `just soak --minutes 5`.
soak *arguments:
    cargo bench --locked --bench soak -- {{arguments}}

# Formats all code.
fmt:
    cargo fmt --all

# Checks format and lints; warnings are errors.
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Runs all tests.
test *arguments:
    cargo test --locked --workspace {{arguments}}

# Starts an emulated Azure and the provider, and mounts three volumes.
demo:
    cargo run --locked --example mount

# Builds the documentation of the code; warnings are errors.
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

# Runs all checks that must pass before a merge.
ci:
    .ci/run

# Builds the images of provider and emulator in target/image without Docker (buildah), and runs the provider's (runc,
# skopeo, umoci, root).
image profile="release":
    image/build.sh {{profile}}
    AKV_IMAGE=target/image/akv-provider.tar cargo test --locked --test e2e image_

# Writes the list of functions that the linker puts together, from mounts under valgrind (Python, valgrind, nm).
hot-code:
    image/hot_code.py

# Runs the acceptance against the cluster of the kubeconfig; arguments as in docs/cluster.md. RESTART_KUBELET names a
# command that restarts the kubelet of the cluster's node.
cluster *arguments:
    cargo run --locked --package cluster-acceptance -- --restart-kubelet="${RESTART_KUBELET:-}" {{arguments}}

# Makes a cluster with kind, loads the images of `just image` into it, runs the acceptance there, and removes it.
kind *arguments:
    tests/cluster/kind.sh {{arguments}}

# Checks licences, banned crates and sources (cargo-deny).
deny:
    cargo deny check licenses bans sources

# Writes a bill of materials in CycloneDX format (cargo-cyclonedx).
sbom:
    cargo cyclonedx --format json --target x86_64-unknown-linux-gnu

# Runs each fuzz target for a number of seconds (cargo-fuzz, a nightly compiler).
fuzz seconds="600":
    cp Cargo.lock fuzz/
    cargo test --test corpus -- --ignored write_seeds
    cd fuzz && for target in $(cargo fuzz list); do cargo +nightly fuzz run $target -- -max_total_time={{seconds}} -timeout=30 -rss_limit_mb=2048 || exit 1; done

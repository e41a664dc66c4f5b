# What there is to do here, by name: `just bench --quick`.

default:
    @just --list

# What a mount costs, in one table; arguments as in docs/benchmark.md.
bench *arguments:
    cargo bench --locked -- {{arguments}}

# An hour of mounts, rotations, faults and restarts, in one table: `just soak --minutes 5`.
soak *arguments:
    cargo bench --locked --bench soak -- {{arguments}}

# Formats everything.
fmt:
    cargo fmt --all

# Warnings are errors.
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Every test.
test *arguments:
    cargo test --locked --workspace {{arguments}}

# An emulated Azure, the provider, three mounts.
demo:
    cargo run --locked --example mount

# Documentation of the code; warnings are errors.
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

# What has to pass.
ci:
    .ci/run

# Licences, banned crates, sources (cargo-deny).
deny:
    cargo deny check licenses bans sources

# A bill of materials in CycloneDX's form (cargo-cyclonedx).
sbom:
    cargo cyclonedx --format json --target x86_64-unknown-linux-gnu

# Each fuzz target for so many seconds (cargo-fuzz, a nightly compiler).
fuzz seconds="600":
    cp Cargo.lock fuzz/
    cargo test --test corpus -- --ignored write_seeds
    cd fuzz && for target in $(cargo fuzz list); do cargo +nightly fuzz run $target -- -max_total_time={{seconds}} -timeout=30 -rss_limit_mb=2048 || exit 1; done

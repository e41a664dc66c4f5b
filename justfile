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
    cargo run --locked --release --example mount

# What has to pass.
ci:
    .ci/run

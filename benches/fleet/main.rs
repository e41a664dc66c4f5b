//! Computes the load of a fleet of nodes on its vault: `cargo bench --bench fleet`.
//!
//! The volumes of every node are republished at the driver's rotation interval, each at its own time. The provider's
//! own cache and rules for the age of values serve them, in simulated time. All other reads go to the vault. The times
//! come from a fixed seed, so that each run prints the same.

mod node;

use std::time::Duration;

use akv_provider::vault::CacheSettings;

use self::node::{Load, node};

/// Key Vault's limit of reads, for one vault in ten seconds
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits>).
const LIMIT: f64 = 4_000.0;

const NODES: u64 = 1_000;

/// The simulated time, after a first round of mounts.
const WATCHED: Duration = Duration::from_secs(3_600);

fn main() {
    let load =
        Load { pods: 30, identities: 3, objects: 20, rotation: Duration::from_secs(120), watched: WATCHED };
    println!(
        "{NODES} nodes with {} pods of {} identities each, {} objects a pod, rotation every {} s; one vault, which answers \
         {LIMIT} reads in 10 s.\n",
        load.pods,
        load.identities,
        load.objects,
        load.rotation.as_secs()
    );
    println!("| | reads in 10 s | of the limit | by the formula |");
    println!("| --- | ---: | ---: | ---: |");
    let mounts = NODES as f64 * load.pods as f64 * 10.0 / load.rotation.as_secs_f64();
    row(
        "one challenge and one read for each object, as provider-azure",
        mounts * (load.objects + 1) as f64,
        None,
    );
    for (name, republish, ttl) in [
        ("the challenge learned once (`--republish-max-age=0`)", 0, 0),
        ("values a minute old for volumes that come again (the default)", 60, 0),
        ("values five minutes old (`--object-cache-ttl=5m`)", 60, 300),
    ] {
        let settings = CacheSettings {
            republish_max_age: Duration::from_secs(republish),
            object_cache_ttl: Duration::from_secs(ttl),
        };
        let reads: u64 = (0..NODES).map(|seed| node(&load, settings, seed)).sum();
        let age = Duration::from_secs(republish.max(ttl));
        row(name, reads as f64 * 10.0 / WATCHED.as_secs_f64(), Some(formula(&load, age)));
    }
}

/// Returns the expected reads in ten seconds. A node has `n` volumes of one identity. One of them reads the vault, and
/// the next read comes with the first republish after `max_age`, which is on average `rotation / n` later.
fn formula(load: &Load, max_age: Duration) -> f64 {
    let volumes = load.pods as f64 / load.identities as f64;
    let between = max_age.as_secs_f64() + load.rotation.as_secs_f64() / volumes;
    NODES as f64 * load.identities as f64 * load.objects as f64 * 10.0 / between
}

fn row(name: &str, reads: f64, formula: Option<f64>) {
    let formula = formula.map(|reads| format!("{reads:.0}")).unwrap_or_default();
    println!("| {name} | {reads:.0} | {:.0} % | {formula} |", reads * 100.0 / LIMIT);
}

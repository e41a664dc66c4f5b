//! What a fleet costs its vault: `cargo bench --bench fleet`.
//!
//! Volumes of every node come again at the driver's rotation interval, each at a moment of its own, and are answered as
//! the provider answers them: by its own memory and its own rules for how old a value may be, in a time that is played.
//! What is left over are reads of the vault. The moments are drawn from a fixed seed, so that each run prints the same.

mod node;

use std::time::Duration;

use akv_provider::vault::CacheSettings;

use self::node::{Load, node};

/// What Key Vault answers of reads, for one vault in ten seconds
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits>).
const LIMIT: f64 = 4_000.0;

const NODES: u64 = 1_000;

/// How long the fleet is watched, after a first round of mounts.
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
    row("one challenge and one read for each object, as today", mounts * (load.objects + 1) as f64, None);
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

/// Reads in ten seconds. Of `n` volumes of one identity on a node, one in each `max_age` reads, and then the first to
/// come again after it: a `rotation / n` later.
fn formula(load: &Load, max_age: Duration) -> f64 {
    let volumes = load.pods as f64 / load.identities as f64;
    let between = max_age.as_secs_f64() + load.rotation.as_secs_f64() / volumes;
    NODES as f64 * load.identities as f64 * load.objects as f64 * 10.0 / between
}

fn row(name: &str, reads: f64, formula: Option<f64>) {
    let formula = formula.map(|reads| format!("{reads:.0}")).unwrap_or_default();
    println!("| {name} | {reads:.0} | {:.0} % | {formula} |", reads * 100.0 / LIMIT);
}

//! Computes the load of a fleet of nodes on its vault, and its price: `cargo bench --bench fleet`.
//!
//! The volumes of every node are republished at the driver's rotation interval, each at its own time. The provider's
//! own cache and rules for the age of values serve them, in simulated time. All other requests go to the vault. The
//! times come from a fixed seed, so that each run prints the same.

mod node;
mod setting;

use std::time::Duration;

use self::{node::Load, setting::SETTINGS};

/// Key Vault's limit of reads, for one vault in ten seconds
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits>).
const LIMIT: f64 = 4_000.0;

/// The price of 10,000 operations on secrets, in US dollars. A page of a list is an operation
/// (<https://azure.microsoft.com/pricing/details/key-vault/>).
const PRICE: f64 = 0.03;

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
    println!("| | requests in 10 s | of the limit | by the formula |");
    println!("| --- | ---: | ---: | ---: |");
    let mut fleet = Vec::new();
    for setting in &SETTINGS {
        let a_second = setting.requests(&load, NODES);
        let (requests, formula) = (a_second * 10.0, setting.formula(&load, NODES) * 10.0);
        println!("| {} | {requests:.0} | {:.0} % | {formula:.0} |", setting.name, requests * 100.0 / LIMIT);
        fleet.push((setting, a_second));
    }

    println!("\nCalls a day, and their price in US dollars:\n");
    println!("| | 10 nodes | 100 nodes | 1,000 nodes |");
    println!("| --- | ---: | ---: | ---: |");
    for (setting, a_second) in fleet {
        let [ten, hundred] = [10, 100].map(|nodes| day(setting.requests(&load, nodes)));
        println!("| {} | {ten} | {hundred} | {} |", setting.name, day(a_second));
    }
}

/// Returns the calls of a day and their price, of this many calls a second.
fn day(a_second: f64) -> String {
    let calls = a_second * 86_400.0;
    format!("{:.2} million, ${:.2}", calls / 1e6, calls * PRICE / 10_000.0)
}

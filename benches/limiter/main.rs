//! Simulates the limiter with vaults that throttle: `cargo bench --bench limiter`.
//!
//! Nodes read from one vault, all at once, through the provider's own limiter and in simulated time. Random numbers
//! come from fixed seeds, so that each run prints the same.

mod simulation;
mod vault;

use std::time::Duration;

use self::{
    simulation::{Load, Outcome, simulate},
    vault::Limit,
};

const SECOND: Duration = Duration::from_secs(1);

/// Runs of each row, each with its own random numbers.
const RUNS: u64 = 11;

fn main() {
    let bucket = |per_second, burst| Limit::TokenBucket { per_second, burst };
    let each_second = |number| Limit::Window { number, length: SECOND };

    println!(
        "One node. Times are those of the median run; where a vault refuses, it says `Retry-After: 1`.\n"
    );
    println!("| the vault | reads | at the least, s | took, s | answers 429 | reads that failed |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (name, limit, reads) in [
        ("refuses nothing", Limit::None, 1_000),
        ("refuses one request, the tenth", Limit::AllBut { number: 10 }, 1_000),
        ("refuses one request, in the middle", Limit::AllBut { number: 500 }, 1_000),
        ("answers 200 in each second", each_second(200), 800),
        ("answers 200 a second, 40 at once", bucket(200, 40), 800),
        ("answers 200 a second, 40 at once", bucket(200, 40), 1_000),
        ("answers 50 a second, 10 at once", bucket(50, 10), 400),
        ("answers 20 a second, 5 at once", bucket(20, 5), 200),
        ("answers 200 a second, 40 at once", bucket(200, 40), 10_000),
        ("answers 400 a second, 400 at once", bucket(400, 400), 4_000),
    ] {
        let outcome = median(Load { nodes: 1, reads, has_jitter: true }, limit);
        println!(
            "| {name} | {reads} | {:.1} | {:.2} | {} | {} |",
            limit.shortest(reads).as_secs_f64(),
            outcome.took.as_secs_f64(),
            outcome.refused,
            outcome.failed,
        );
    }

    println!("\n40 nodes, one vault of 400 reads a second.\n");
    println!(
        "| the vault | reads of each node | at the least, s | took, s | answers 429 | reads that failed | most within 100 ms, after the first half second |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (name, limit, reads) in [
        ("400 at once", bucket(400, 400), 100),
        ("400 at once", bucket(400, 400), 1_000),
        ("40 at once", bucket(400, 40), 100),
        ("4,000 in each 10 s", Limit::Window { number: 4_000, length: SECOND * 10 }, 200),
    ] {
        for has_jitter in [true, false] {
            let outcome = median(Load { nodes: 40, reads, has_jitter }, limit);
            println!(
                "| {name}{} | {reads} | {:.1} | {:.1} | {} | {} | {} |",
                if has_jitter { "" } else { ", without jitter" },
                limit.shortest(40 * reads).as_secs_f64(),
                outcome.took.as_secs_f64(),
                outcome.refused,
                outcome.failed,
                outcome.peak,
            );
        }
    }
}

/// Returns the outcome of the run with the median time.
fn median(load: Load, limit: Limit) -> Outcome {
    let mut outcomes: Vec<Outcome> = (0..RUNS).map(|seed| simulate(load, limit, seed)).collect();
    outcomes.sort_by_key(|outcome| outcome.took);
    outcomes.swap_remove(outcomes.len() / 2)
}

//! A vault that throttles the node's reads.

use std::time::Duration;

use akv_emulator::{Fault, Route};

use super::{
    Stage, VOLUME,
    burst::{Outcome, all_at_once},
};
use crate::{
    Failure,
    azure::VAULT,
    figure::{Figure, Unit},
    pods::Pod,
};

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let mut figures = Vec::new();
    for limit in [Limit::EachSecond, Limit::TokenBucket, Limit::OneRefusal] {
        let mut times = Figure::times(limit.row());
        let mut refused = Figure::new("answers 429 among them", Unit::Number);
        let mut failed = Figure::new("mounts failed among them", Unit::Number);
        for _ in 0..if stage.quick { 1 } else { 5 } {
            let outcome = limit.play(stage).await?;
            times.run((outcome.took, outcome.requests));
            let answers = stage.azure.journal().filter(&Route::vault(VAULT));
            refused.number(answers.iter().filter(|entry| entry.status == Some(429)).count());
            failed.number(outcome.failures.len());
        }
        figures.extend([times, refused, failed]);
    }
    Ok(figures)
}

/// The requests that the vault throttles.
#[derive(Clone, Copy)]
enum Limit {
    /// All beyond [`PER_SECOND`] in each second.
    EachSecond,
    /// All beyond the rate [`PER_SECOND`] and the burst [`MAX_READS_AT_ONCE`]: the first refusal comes early.
    TokenBucket,
    /// One request.
    OneRefusal,
}

impl Limit {
    /// Returns the number of pods, each with its own principal, so that no read can be shared.
    fn pods(self) -> usize {
        match self {
            Self::EachSecond | Self::TokenBucket => 40,
            Self::OneRefusal => 50,
        }
    }

    fn row(self) -> String {
        let what = format!("{} pods at once, {VOLUME} objects each,", self.pods());
        match self {
            Self::EachSecond => format!("{what} {PER_SECOND} requests/s allowed"),
            Self::TokenBucket => {
                format!("{what} {PER_SECOND} requests/s and {MAX_READS_AT_ONCE} at once allowed")
            }
            Self::OneRefusal => format!("{what} one stray 429"),
        }
    }

    async fn play(self, stage: &Stage<'_>) -> Result<Outcome, Failure> {
        let (_process, driver) = stage.prewarm().await?;
        // The requests of the first mount must not count in the same second of the vault.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let pods = (0..self.pods()).map(|pod| Pod::new(stage.azure, pod)).collect();
        match self {
            Self::EachSecond => stage.azure.limits().set(VAULT, PER_SECOND),
            Self::TokenBucket => stage.azure.limits().set_bucket(VAULT, PER_SECOND, MAX_READS_AT_ONCE),
            Self::OneRefusal => {
                let reads = Route::vault(VAULT).credentials(true);
                stage.azure.faults().inject_times(1, reads, Fault::throttled(1));
            }
        }
        let outcome = all_at_once(stage, &driver, pods).await;
        stage.azure.limits().clear();
        stage.azure.faults().clear();
        Ok(outcome)
    }
}

const PER_SECOND: u32 = 200;
const MAX_READS_AT_ONCE: u32 = 40;

//! A vault that allows less than the node asks for.

use std::time::Duration;

use akv_emulator::Route;

use super::{Stage, VOLUME, burst::all_at_once};
use crate::{
    Failure,
    azure::VAULT,
    figure::{Figure, Unit},
    pods::Pod,
};

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let what = format!("{PODS} pods at once, {VOLUME} objects each, {PER_SECOND} requests/s allowed");
    let mut times = Figure::times(&what);
    let mut refused = Figure::new("answers 429 among them", Unit::Number);
    let mut failed = Figure::new("mounts failed among them", Unit::Number);
    for _ in 0..if stage.quick { 1 } else { 3 } {
        let (_process, driver) = stage.warm().await?;
        // So that what warmed it up is in another of the vault's seconds.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let pods = (0..PODS).map(|pod| Pod::new(stage.azure, pod)).collect();
        stage.azure.limits().set(VAULT, PER_SECOND);
        let outcome = all_at_once(stage, &driver, pods).await;
        stage.azure.limits().clear();
        times.run((outcome.took, outcome.requests));
        let answers = stage.azure.journal().filter(&Route::vault(VAULT));
        refused.number(answers.iter().filter(|entry| entry.status == Some(429)).count());
        failed.number(outcome.failures.len());
    }
    Ok(vec![times, refused, failed])
}

/// Each of a principal of its own, so that nothing can be shared.
const PODS: usize = 40;
const PER_SECOND: u32 = 200;

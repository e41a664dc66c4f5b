//! A node that fills up: all pods mount at once, each with its own token.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::{Stage, USUAL, VOLUME, at};
use crate::{
    Failure,
    driver::{self, Driver},
    figure::{Figure, Unit},
    pods::Pod,
};

pub(super) async fn run(stage: &Stage<'_>, pods: usize, principals: usize) -> Result<Vec<Figure>, Failure> {
    let identities = match principals {
        1 => "one identity".to_owned(),
        many => format!("{many} identities"),
    };
    let what = format!("{pods} pods at once, {VOLUME} objects each, {identities}, {}", at(USUAL));
    let mut times = Figure::times(&what);
    let mut peak = Figure::new(format!("memory at its peak, {pods} pods of {identities}"), Unit::Mebibytes);
    let mut emulator = Figure::times(format!("CPU of the emulator meanwhile, {pods} pods of {identities}"));
    let runs = match (pods, stage.quick) {
        (..100, false) => 5,
        (..100, true) => 3,
        _ => 1,
    };
    for _ in 0..runs {
        let (process, driver) = stage.prewarm().await?;
        let requests = (0..pods).map(|pod| Pod::new(stage.azure, pod % principals)).collect();
        let cpu = stage.azure.cpu()?;
        let outcome = all_at_once(stage, &driver, requests).await;
        outcome.failed()?;
        emulator.time(stage.azure.cpu()? - cpu);
        times.run((outcome.took, outcome.requests));
        peak.bytes(process.peak()?);
    }
    Ok(vec![times, peak, emulator])
}

/// The outcome of a burst.
pub(super) struct Outcome {
    pub(super) took: Duration,
    /// Requests that Azure received.
    pub(super) requests: u64,
    /// The errors of failed mounts.
    pub(super) failures: Vec<Failure>,
}

impl Outcome {
    /// Returns an error for the whole burst if any mount failed.
    pub(super) fn failed(&self) -> Result<(), Failure> {
        match self.failures.first() {
            Some(first) => Err(format!("{} mounts failed, the first: {first}", self.failures.len()).into()),
            None => Ok(()),
        }
    }
}

/// Mounts a typical volume in every pod at the same time.
pub(super) async fn all_at_once(stage: &Stage<'_>, driver: &Driver, pods: Vec<Pod>) -> Outcome {
    let requests: Vec<_> = pods.iter().map(|pod| pod.request(VOLUME)).collect();
    stage.azure.journal().clear();
    let begin = Instant::now();
    let mounts = requests.into_iter().map(|request| {
        let mut driver = driver.clone();
        async move { driver.call(request).await }
    });
    let answers = join_all(mounts).await;
    let (took, requests) = (begin.elapsed(), stage.azure.journal().total());
    let checked = answers.into_iter().map(|answer| driver::check(&answer?, VOLUME));
    Outcome { took, requests, failures: checked.filter_map(Result::err).collect() }
}

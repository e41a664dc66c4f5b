//! The first mount of a process.

use std::time::Duration;

use super::{Stage, VOLUME, at};
use crate::{Failure, figure::Figure, pods::Pod};

pub(super) async fn run(stage: &Stage<'_>, round_trip: Duration) -> Result<Vec<Figure>, Failure> {
    let mut times = Figure::times(format!("first mount of a process, {VOLUME} objects, {}", at(round_trip)));
    for _ in 0..stage.runs(round_trip) {
        let (_process, mut driver) = stage.started().await?;
        let request = Pod::new(stage.azure, 0).request(VOLUME);
        times.run(driver.timed(stage.azure, request, VOLUME).await?);
    }
    Ok(vec![times])
}

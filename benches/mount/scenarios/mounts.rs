//! One mount at a time, in a process that has mounted before.

use std::time::Duration;

use super::{Stage, VOLUME, at};
use crate::{Failure, figure::Figure, pods::Pod};

pub(super) async fn run(stage: &Stage<'_>, round_trip: Duration) -> Result<Vec<Figure>, Failure> {
    let azure = stage.azure;
    let at = at(round_trip);
    let mut new: Vec<_> = SIZES
        .into_iter()
        .map(|objects| {
            (
                objects,
                Figure::times(format!(
                    "new pod, {objects} object{}, {at}",
                    if objects == 1 { "" } else { "s" }
                )),
            )
        })
        .collect();
    let mut seen = Figure::times(format!("another pod with a token seen before, {VOLUME} objects, {at}"));
    let mut again = Figure::times(format!("republish within a minute, {VOLUME} objects, {at}"));
    let (_process, mut driver) = stage.prewarm().await?;
    for _ in 0..stage.runs(round_trip) {
        for (objects, times) in &mut new {
            let request = Pod::new(azure, 0).request(*objects);
            times.run(driver.timed(azure, request, *objects).await?);
        }
        let pod = Pod::new(azure, 0);
        driver.mount(pod.request(VOLUME), VOLUME).await?;
        seen.run(driver.timed(azure, pod.sibling(azure).request(VOLUME), VOLUME).await?);
        again.run(driver.timed(azure, pod.request(VOLUME), VOLUME).await?);
    }
    Ok(new.into_iter().map(|(_, times)| times).chain([seen, again]).collect())
}

const SIZES: [usize; 4] = [1, 5, 20, 50];

//! CPU time of a mount, averaged over enough mounts for exact figures.

use super::{Stage, USUAL, VOLUME, at};
use crate::{Failure, figure::Figure, pods::Pod};

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let mut times = Figure::times(format!("CPU of a new pod, {VOLUME} objects, {}", at(USUAL)));
    let (process, mut driver) = stage.prewarm().await?;
    for _ in 0..if stage.quick { 2 } else { 5 } {
        let cpu = process.cpu()?;
        for _ in 0..MOUNTS {
            driver.mount(Pod::new(stage.azure, 0).request(VOLUME), VOLUME).await?;
        }
        times.time((process.cpu()? - cpu) / MOUNTS);
    }
    Ok(vec![times])
}

const MOUNTS: u32 = 10;

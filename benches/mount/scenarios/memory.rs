//! Memory of an idle process, before and after a node has filled up.

use std::time::Duration;

use super::{Stage, burst::all_at_once};
use crate::{
    Failure,
    figure::{Figure, Unit},
    pods::Pod,
};

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let mut idle = Figure::new("memory idle, after one mount", Unit::Mebibytes);
    let mut settled = Figure::new(format!("memory idle, after {PODS} pods at once"), Unit::Mebibytes);
    for _ in 0..if stage.quick { 1 } else { 3 } {
        let (process, driver) = stage.prewarm().await?;
        tokio::time::sleep(QUIET).await;
        idle.bytes(process.resident()?);
        let pods = (0..PODS).map(|_| Pod::new(stage.azure, 0)).collect();
        all_at_once(stage, &driver, pods).await.failed()?;
        tokio::time::sleep(QUIET).await;
        settled.bytes(process.resident()?);
    }
    Ok(vec![idle, settled])
}

const PODS: usize = 50;
const QUIET: Duration = Duration::from_secs(3);

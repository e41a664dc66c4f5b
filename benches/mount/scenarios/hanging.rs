//! Reads that hang, and other pods beside them.

use akv_emulator::{Fault, Route};

use super::{Stage, USUAL, VOLUME, at, burst::all_at_once};
use crate::{
    Failure,
    azure::{OBJECTS, VAULT, secret_name},
    figure::Figure,
    pods::Pod,
};

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let mut times = Figure::times(format!(
        "{LATE} pods at once, {VOLUME} objects each, while {HANGING} reads hang, {}",
        at(USUAL)
    ));
    for _ in 0..if stage.quick { 1 } else { 5 } {
        let (_process, driver) = stage.prewarm().await?;
        let hangs = format!("/secrets/{}", secret_name(OBJECTS - 1));
        let hangs = Route::vault(VAULT).credentials(true).path_prefix(&hangs);
        stage.azure.faults().inject(hangs.clone(), Fault::Hang);
        stage.azure.journal().clear();
        let stuck: Vec<_> = (0..HANGING)
            .map(|pod| {
                let (mut driver, request) = (driver.clone(), Pod::new(stage.azure, pod).request(OBJECTS));
                tokio::spawn(async move { driver.call(request).await })
            })
            .collect();
        stage.azure.journal().wait_for_route(HANGING, &hangs).await;
        let pods = |from: usize, number: usize| {
            (from..from + number).map(|pod| Pod::new(stage.azure, pod)).collect::<Vec<_>>()
        };
        all_at_once(stage, &driver, pods(HANGING, EARLY)).await.failed()?;
        let late = all_at_once(stage, &driver, pods(HANGING + EARLY, LATE)).await;
        late.failed()?;
        times.run((late.took, late.requests));
        stuck.iter().for_each(tokio::task::JoinHandle::abort);
        stage.azure.faults().clear();
    }
    Ok(vec![times])
}

const HANGING: usize = 12;
const EARLY: usize = 9;
const LATE: usize = 6;

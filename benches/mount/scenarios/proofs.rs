//! New pods whose identity the issuer's keys prove. Other providers have no such flag, and run without it.

use std::time::Duration;

use akv_emulator::{Route, Service};

use super::{Stage, USUAL, VOLUME, at, burst::all_at_once};
use crate::{Failure, arguments::OURS, driver::Driver, figure::Figure, pods::Pod, process::Process};

/// The pods of a burst.
const PODS: usize = 50;

/// How long the provider may take to fetch the issuer's keys.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn run(stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
    let at = at(USUAL);
    let mut known =
        Figure::times(format!("new pod of a known subject, {VOLUME} objects, issuer's keys, {at}"));
    let (_process, mut driver) = started(stage).await?;
    for _ in 0..stage.runs(USUAL) {
        let request = Pod::new(stage.azure, 0).request(VOLUME);
        known.run(driver.timed(stage.azure, request, VOLUME).await?);
    }
    let mut figures = vec![known];
    for subjects in [1, PODS] {
        let of_subjects =
            if subjects == 1 { "one subject".to_owned() } else { format!("{subjects} subjects") };
        let what = format!("{PODS} pods at once, {VOLUME} objects each, {of_subjects}, issuer's keys, {at}");
        let mut times = Figure::times(what);
        for _ in 0..if stage.quick { 3 } else { 5 } {
            let (_process, driver) = started(stage).await?;
            let pods = (0..PODS).map(|pod| Pod::of_account(stage.azure, pod % subjects)).collect();
            let outcome = all_at_once(stage, &driver, pods).await;
            outcome.failed()?;
            times.run((outcome.took, outcome.requests));
        }
        figures.push(times);
    }
    Ok(figures)
}

/// Starts a process that has the issuer's keys, and has mounted a volume as the service account of all principals.
async fn started(stage: &Stage<'_>) -> Result<(Process, Driver), Failure> {
    let azure = stage.azure;
    let issuer = format!("--service-account-issuer={}", azure.service_account_issuer());
    azure.journal().clear();
    let flags = [issuer.as_str()];
    let has_flag = stage.provider.name == OURS;
    let mut process = Process::start_with(stage.provider, azure, if has_flag { &flags } else { &[] })?;
    let mut driver = Driver::connect(&mut process).await?;
    if has_flag {
        let keys = Route::service(Service::Issuer).path("/openid/v1/jwks");
        tokio::time::timeout(FETCH_TIMEOUT, azure.journal().wait_for_route(1, &keys)).await?;
    }
    driver.mount(Pod::new(azure, 0).request(VOLUME), VOLUME).await?;
    // The keys' answer was on its way while the first pod was exchanged. This one leaves its token to the others.
    driver.mount(Pod::new(azure, 0).request(VOLUME), VOLUME).await?;
    Ok((process, driver))
}

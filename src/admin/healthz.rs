//! Probes that check what the driver would find: gRPC health over the real socket, within a time limit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use tonic::transport::{Channel, Endpoint as Target};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{proto::csi_driver_provider_server::SERVICE_NAME, report::Report, server::endpoint::Endpoint};

use super::HealthzSettings;

/// Returns routes that answer `ok`, or 503 with the reason. `/healthz` checks that the server answers; `/readyz`,
/// that it accepts mounts.
pub(super) fn routes(settings: &HealthzSettings, endpoint: Endpoint) -> Router {
    let timeout = settings.timeout;
    let probe = move |service: &'static str| {
        let (endpoint, is_failing) = (endpoint.clone(), Arc::new(AtomicBool::new(false)));
        get(async move || answer(check(&endpoint, service, timeout).await, &is_failing))
    };
    let routes = Router::new().route(&settings.path, probe(""));
    if settings.path == READYZ { routes } else { routes.route(READYZ, probe(SERVICE_NAME)) }
}

const READYZ: &str = "/readyz";

/// An error of a probe.
#[derive(Debug, thiserror::Error)]
enum Unhealthy {
    #[error("the provider's socket {0} does not answer within {1:?}")]
    Late(Endpoint, Duration),
    #[error("cannot connect to the provider's socket {0}")]
    Connect(Endpoint, #[source] tonic::transport::Error),
    #[error("the provider does not answer to health checks: {0:?}")]
    Refused(tonic::Code),
    #[error("the provider is {0:?}")]
    NotServing(ServingStatus),
}

/// Returns the answer to a probe. `is_failing` is whether the probe before failed.
fn answer(result: Result<(), Unhealthy>, is_failing: &AtomicBool) -> (StatusCode, String) {
    let was_failing = is_failing.swap(result.is_err(), Ordering::Relaxed);
    match result {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(error) => {
            let reason = Report(&error).to_string();
            // Any pod can send probes, so the log has the change alone.
            if !was_failing {
                tracing::warn!(reason, "a probe failed; it is logged again once it has succeeded");
            }
            (StatusCode::SERVICE_UNAVAILABLE, reason)
        }
    }
}

async fn check(endpoint: &Endpoint, service: &str, timeout: Duration) -> Result<(), Unhealthy> {
    tokio::time::timeout(timeout, ask(endpoint, service))
        .await
        .unwrap_or_else(|_| Err(Unhealthy::Late(endpoint.clone(), timeout)))
}

async fn ask(endpoint: &Endpoint, service: &str) -> Result<(), Unhealthy> {
    let channel = connect(endpoint).await.map_err(|error| Unhealthy::Connect(endpoint.clone(), error))?;
    let request = HealthCheckRequest { service: service.to_owned() };
    let answer = HealthClient::new(channel).check(request).await;
    match answer.map_err(|status| Unhealthy::Refused(status.code()))?.into_inner().status() {
        ServingStatus::Serving => Ok(()),
        other => Err(Unhealthy::NotServing(other)),
    }
}

/// Opens a new connection for each probe, since the probe checks whether a driver could connect now.
async fn connect(endpoint: &Endpoint) -> Result<Channel, tonic::transport::Error> {
    let uri = match endpoint {
        Endpoint::Unix(path) => format!("unix://{}", path.display()),
        Endpoint::Tcp(address) => format!("http://{address}"),
    };
    Target::try_from(uri)?.connect().await
}

#[cfg(test)]
mod tests {
    use crate::logging::captured_log::CapturedLog;

    use super::*;

    #[test]
    fn a_probe_that_keeps_failing_is_logged_once_and_again_after_it_succeeded() {
        let log = CapturedLog::begin();
        let lines = || log.count("a probe failed");
        let is_failing = AtomicBool::new(false);
        let fails = || {
            let unhealthy = Unhealthy::NotServing(ServingStatus::NotServing);
            let (code, reason) = answer(Err(unhealthy), &is_failing);
            assert_eq!(
                (code, reason.as_str()),
                (StatusCode::SERVICE_UNAVAILABLE, "the provider is NotServing")
            );
        };
        for _ in 0..100 {
            fails();
        }
        assert_eq!(lines(), 1);
        assert_eq!(answer(Ok(()), &is_failing).0, StatusCode::OK);
        fails();
        fails();
        assert_eq!(lines(), 2);
    }
}

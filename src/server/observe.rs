//! Measurement of every call, whatever its outcome: one histogram sample each.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

use crate::metrics::Metrics;

/// A tower layer that measures the calls of the service below.
#[derive(Debug, Clone)]
pub(super) struct ObserveLayer {
    pub(super) metrics: Metrics,
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, below: S) -> Observe<S> {
        Observe { below, metrics: self.metrics.clone() }
    }
}

/// A measured service.
#[derive(Debug, Clone)]
pub(super) struct Observe<S> {
    below: S,
    metrics: Metrics,
}

impl<S, B, R> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.below.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut sample = Sample {
            method: method(request.uri().path()),
            code: CANCELED,
            begin: Instant::now(),
            metrics: self.metrics.clone(),
        };
        let response = self.below.call(request);
        Box::pin(async move {
            let response = response.await?;
            // An error has its status in the headers. A response without one there is still sending its body, and
            // ends in OK.
            let status =
                response.headers().get("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
            sample.code = CODES.get(status.unwrap_or(0usize)).copied().unwrap_or("Unknown");
            drop(sample);
            Ok(response)
        })
    }
}

/// A guard that records the call when it is dropped, also if the caller went away.
struct Sample {
    method: &'static str,
    code: &'static str,
    begin: Instant,
    metrics: Metrics,
}

impl Drop for Sample {
    fn drop(&mut self) {
        self.metrics.call(self.method, self.code, self.begin.elapsed());
    }
}

/// Returns the label of a method. Callers choose paths, so labels come from a closed set.
fn method(path: &str) -> &'static str {
    const KNOWN: [&str; 4] = [
        "/v1alpha1.CSIDriverProvider/Mount",
        "/v1alpha1.CSIDriverProvider/Version",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
    ];
    KNOWN.into_iter().find(|known| *known == path).unwrap_or("other")
}

const CANCELED: &str = "Canceled";

/// The names of Go's `codes.Code`, by number: the ones that dashboards know.
const CODES: [&str; 17] = [
    "OK",
    CANCELED,
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_strangers_share_a_label() {
        assert_eq!(method("/v1alpha1.CSIDriverProvider/Mount"), "/v1alpha1.CSIDriverProvider/Mount");
        assert_eq!(method("/v1alpha1.CSIDriverProvider/Mount2"), "other");
        assert_eq!(method(""), "other");
    }
}

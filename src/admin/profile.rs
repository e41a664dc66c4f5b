//! CPU profiles under Go's path: `go tool pprof http://localhost:6060/debug/pprof/profile?seconds=10`.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::RawQuery,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use pprof::{ProfilerGuardBuilder, protos::Message};
use tokio::sync::Mutex;

/// Samples a second; Go's profiles have the same rate.
const FREQUENCY: i32 = 100;

/// The default duration of a profile, and the longest, in seconds.
const DEFAULT_SECONDS: u64 = 30;
const MAX_SECONDS: u64 = 300;

/// The longest time until an answer.
pub(super) const LONGEST: Duration = Duration::from_secs(MAX_SECONDS);

/// Returns the route `/debug/pprof/profile`, which takes one profile at a time.
pub(super) fn routes() -> Router {
    let one = Arc::new(Mutex::new(()));
    let profile = async move |RawQuery(query): RawQuery| {
        let Some(seconds) = seconds(query.as_deref().unwrap_or_default()) else {
            let message = format!("seconds must be a number from 1 to {MAX_SECONDS}\n");
            return (StatusCode::BAD_REQUEST, message).into_response();
        };
        let Ok(_one) = one.try_lock() else {
            return (StatusCode::CONFLICT, "another profile is being taken\n").into_response();
        };
        match profile(seconds).await {
            Ok(profile) => ([(CONTENT_TYPE, "application/octet-stream")], profile).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        }
    };
    Router::new().route("/debug/pprof/profile", get(profile))
}

fn seconds(query: &str) -> Option<u64> {
    match query.split('&').find_map(|pair| pair.strip_prefix("seconds=")) {
        None => Some(DEFAULT_SECONDS),
        Some(text) => text.parse().ok().filter(|seconds| (1..=MAX_SECONDS).contains(seconds)),
    }
}

/// Samples the process, and returns the profile in pprof's format.
async fn profile(seconds: u64) -> Result<Vec<u8>, pprof::Error> {
    let guard = ProfilerGuardBuilder::default()
        .frequency(FREQUENCY)
        // The profiler's manual warns that unwinding out of these can deadlock.
        .blocklist(&["libc", "libgcc", "pthread", "vdso"])
        .build()?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let report = tokio::task::spawn_blocking(move || guard.report().build()?.pprof());
    let profile = report.await.map_err(|_| pprof::Error::NotRunning)??;
    profile.write_to_bytes().map_err(|_| pprof::Error::NotRunning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_takes_as_long_as_it_is_asked_to_within_bounds() {
        for (query, expected) in [
            ("", Some(30)),
            ("seconds=5", Some(5)),
            ("debug=1&seconds=300", Some(300)),
            ("seconds=0", None),
            ("seconds=301", None),
            ("seconds=x", None),
        ] {
            assert_eq!(seconds(query), expected, "{query}");
        }
    }
}

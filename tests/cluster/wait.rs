//! Waiting for a condition of the cluster.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::error::StepError;

/// Asks once a second until there is an answer. The error of a time-out has the last reason for which there was none.
pub(crate) fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Result<T, String>, StepError>,
) -> Result<T, StepError> {
    let end = Instant::now() + limit;
    loop {
        // A request that fails while a node or the API server is busy is asked again.
        let reason = match ask() {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reason)) => reason,
            Err(error) => error.to_string(),
        };
        if Instant::now() >= end {
            return Err(StepError::Timeout { what: what.to_owned(), seconds: limit.as_secs(), reason });
        }
        thread::sleep(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_has_the_last_reason() {
        let asked = until("a pod", Duration::ZERO, || Ok(Err::<(), _>("it is Pending".to_owned())));
        assert_eq!(asked.expect_err("it is never there").to_string(), "waited 0 s for a pod: it is Pending");
        assert_eq!(until("a pod", Duration::ZERO, || Ok(Ok(7))).expect("it is there"), 7);
    }
}

//! Timeouts and retries: how long each request waits, and how often it is sent again.
//!
//! There are five kinds of retries, from the innermost to the outermost. Their bounds are here.
//!
//! 1. If a pooled connection has died, its request is sent again at once: [`MAX_DEAD_CONNECTIONS`] times.
//! 2. The limiter handles a vault's 429. The request waits with all others of the vault, and is sent
//!    [`MAX_THROTTLED_TRIES`] times at the most, and no later than [`Timeouts::throttle_wait`] after the first try.
//! 3. The SDK sends a request again after connection errors and transient statuses: [`MAX_RETRIES`] times, with a
//!    backoff that doubles from [`Timeouts::initial_backoff`], and no later than [`Timeouts::retry_window`] after the
//!    first try.
//! 4. A mount repeats reads that a vault refused once, with one new token (`identity/renewal.rs`).
//! 5. Kubelet retries a failed mount, with a backoff of its own.

use std::time::Duration;

use azure_core::{
    http::{ExponentialRetryOptions, RetryOptions},
    time,
};

/// The most immediate retries of a request because its connection had died while it was idle.
pub(super) const MAX_DEAD_CONNECTIONS: u32 = 2;

/// The most tries of a request to a vault that answers 429 each time.
pub const MAX_THROTTLED_TRIES: u32 = 5;

/// The most retries of the SDK, after connection errors and transient statuses.
const MAX_RETRIES: u32 = 4;

/// The longest backoff of the SDK, in seconds.
const MAX_BACKOFF_SECONDS: i64 = 5;

/// The timeouts of one request. Together they are shorter than the mount timeout, so that the error of a silent host
/// names the host's failure and not the mount timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The longest set-up of a connection, TLS included.
    pub connect: Duration,
    /// The longest silence of a connection: until the answer begins, and between its parts.
    pub read_idle: Duration,
    /// How long after the end of its first try a request may be sent again.
    pub retry_window: Duration,
    /// The wait before the first retry, without jitter. It doubles before each further one.
    pub initial_backoff: Duration,
    /// The wait after a 429 without `Retry-After`. It doubles with each further one.
    pub throttle_backoff: Duration,
    /// The longest wait of a request to a vault that throttles: half of the mount timeout, so that the mount reports
    /// the cause before it times out.
    pub throttle_wait: Duration,
    /// The longest wait for a list that could save reads. The reads then have most of the mount's time left.
    pub list_wait: Duration,
}

impl Timeouts {
    /// Returns the timeouts for a mount timeout of `budget`. With the default of 90 seconds a connection gets ten,
    /// and an answer fifteen. A silent vault fails after three tries and 47 seconds.
    pub fn within(budget: Duration) -> Self {
        Self {
            connect: budget / 9,
            read_idle: budget / 6,
            retry_window: budget / 3,
            initial_backoff: (budget / 450).min(Duration::from_millis(200)),
            throttle_backoff: (budget / 90).min(Duration::from_secs(1)),
            throttle_wait: budget / 2,
            list_wait: budget / 6,
        }
    }

    /// Returns the timeouts for a service on the node, which accepts a connection at once or is not there.
    pub(super) fn on_node(self) -> Self {
        Self { connect: self.connect / 5, ..self }
    }

    /// Returns the SDK's options.
    pub(super) fn retries(&self) -> RetryOptions {
        let sdk = |duration: Duration| time::Duration::try_from(duration).unwrap_or(time::Duration::MAX);
        RetryOptions::exponential(ExponentialRetryOptions {
            // The SDK doubles the delay before the first retry already.
            initial_delay: sdk(self.initial_backoff),
            max_retries: MAX_RETRIES,
            max_total_elapsed: sdk(self.retry_window),
            max_delay: time::Duration::seconds(MAX_BACKOFF_SECONDS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_shares_of_the_mounts_time() {
        let seconds = Duration::from_secs;
        let timeouts = Timeouts::within(seconds(90));
        assert_eq!((timeouts.connect, timeouts.on_node().connect), (seconds(10), seconds(2)));
        assert_eq!((timeouts.read_idle, timeouts.retry_window), (seconds(15), seconds(30)));
        assert_eq!((timeouts.throttle_wait, MAX_RETRIES), (seconds(45), 4));
        assert_eq!(timeouts.list_wait, seconds(15));
    }

    #[test]
    fn a_silent_host_fails_before_the_mount_does() {
        for seconds in [1, 20, 90, 110] {
            let budget = Duration::from_secs(seconds);
            let Timeouts { connect, read_idle, retry_window, initial_backoff, .. } = Timeouts::within(budget);
            for try_takes in [connect, read_idle] {
                // Like the SDK: another try as long as the first try ended less than `retry_window` ago.
                let (mut taken, mut tries) = (try_takes, 1);
                while tries <= MAX_RETRIES && taken - try_takes < retry_window {
                    let pause = initial_backoff * 2_u32.pow(tries);
                    // The largest jitter.
                    taken += pause.min(Duration::from_secs(5)) + Duration::from_millis(255) + try_takes;
                    tries += 1;
                }
                let spare = if seconds < 20 { Duration::ZERO } else { budget / 3 };
                assert!(seconds < 20 || taken + spare <= budget, "{seconds} s: {tries} tries, {taken:?}");
                assert!(tries >= if seconds < 20 { 2 } else { 3 }, "{seconds} s: {tries} tries");
            }
        }
    }
}

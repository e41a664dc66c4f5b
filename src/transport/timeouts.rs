//! Timeouts and retries: how long each request waits, and how often it is sent again.
//!
//! Five kinds of retries can follow one another, from the innermost to the outermost. Each has its bound here.
//!
//! 1. A request that meets a pooled connection which has died goes out again at once: [`MAX_DEAD_CONNECTIONS`] times.
//! 2. A 429 of a vault is the limiter's: the request waits with all others of the vault, and is sent
//!    [`MAX_THROTTLED_TRIES`] times at the most, none of them later than [`Timeouts::throttle_wait`] after the first.
//! 3. The SDK sends a request again on connection errors and on statuses that pass: [`MAX_RETRIES`] times, with a backoff
//!    that doubles from [`Timeouts::initial_backoff`], and no later than [`Timeouts::retry_window`] after the first try.
//! 4. A mount reads once more, with one new token, what a vault refused (`identity/renewal.rs`).
//! 5. Kubelet tries a mount that failed again, with a backoff of its own.

use std::time::Duration;

use azure_core::{
    http::{ExponentialRetryOptions, RetryOptions},
    time,
};

/// How often a request is sent again at once because it met a connection that had died since it was last used.
pub(super) const MAX_DEAD_CONNECTIONS: u32 = 2;

/// How often a request is sent to a vault that answers 429 each time.
pub const MAX_THROTTLED_TRIES: u32 = 5;

/// How often the SDK sends a request again on connection errors and on statuses that pass.
const MAX_RETRIES: u32 = 4;

/// The longest backoff of the SDK, in seconds.
const MAX_BACKOFF_SECONDS: i64 = 5;

/// The timeouts of one request. All of them together are shorter than a mount may take, so that a host that does not
/// answer is reported by what it did, and not by the mount's own timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// How long a connection may take, TLS included.
    pub connect: Duration,
    /// How long a connection may be silent: until the answer begins, and between its parts.
    pub read_idle: Duration,
    /// How long after the end of its first try a request may be sent again.
    pub retry_window: Duration,
    /// The wait before the first retry. It doubles before each further one, and has some jitter on top.
    pub initial_backoff: Duration,
    /// The wait after a 429 that names no moment. It doubles with each further one.
    pub throttle_backoff: Duration,
    /// The longest wait of a request for a vault that throttles: half of what the mount may take, so that the mount
    /// reports the cause before its own timeout.
    pub throttle_wait: Duration,
}

impl Timeouts {
    /// Returns the timeouts of mounts that may take `budget`. With the default of 90 seconds a connection gets ten, and an
    /// answer fifteen; a vault that is silent fails after three tries and 47 seconds.
    pub fn within(budget: Duration) -> Self {
        Self {
            connect: budget / 9,
            read_idle: budget / 6,
            retry_window: budget / 3,
            initial_backoff: (budget / 450).min(Duration::from_millis(200)),
            throttle_backoff: (budget / 90).min(Duration::from_secs(1)),
            throttle_wait: budget / 2,
        }
    }

    /// Returns the same for a service of the node itself, which takes a connection at once or is not there.
    pub(super) fn on_node(self) -> Self {
        Self { connect: self.connect / 5, ..self }
    }

    /// Returns the SDK's options.
    pub(super) fn retries(&self) -> RetryOptions {
        let sdk = |duration: Duration| time::Duration::try_from(duration).unwrap_or(time::Duration::MAX);
        RetryOptions::exponential(ExponentialRetryOptions {
            // The SDK doubles it before the first retry already.
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
    fn a_silent_host_fails_before_the_mount_does() {
        for seconds in [1, 20, 90, 110] {
            let budget = Duration::from_secs(seconds);
            let Timeouts { connect, read_idle, retry_window, initial_backoff, .. } = Timeouts::within(budget);
            for try_takes in [connect, read_idle] {
                // As the SDK does it: another try as long as the first one ended no longer ago than `again`.
                let (mut taken, mut tries) = (try_takes, 1);
                while tries <= MAX_RETRIES && taken - try_takes < retry_window {
                    let pause = initial_backoff * 2_u32.pow(tries);
                    // What chance adds at the most.
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

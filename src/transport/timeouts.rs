//! How long others may take, and how often they are asked again.

use std::time::Duration;

use azure_core::{
    http::{ExponentialRetryOptions, RetryOptions},
    time,
};

/// The waits of one request. All of them together are shorter than a mount may take, so that who does not answer is told
/// of by what it did, and not by the mount's own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a connection may take, TLS included.
    pub connect: Duration,
    /// How long whoever was asked may say nothing: until its answer begins, and between its parts.
    pub silence: Duration,
    /// How long after the end of its first try a request may be sent again.
    pub again: Duration,
    /// Before the first repetition; twice as long before each further one, and a little chance on top.
    pub pause: Duration,
    /// How long a vault that throttles and does not say how long is left alone; twice as long each further time.
    pub throttled: Duration,
}

/// How often a request is sent again on connection errors and on statuses that pass.
const REPETITIONS: u32 = 4;

impl Patience {
    /// For mounts that may take `budget`: with the 90 seconds of the default a connection gets ten, and an answer fifteen.
    /// A vault that says nothing is then given up after three tries and 47 seconds.
    pub fn within(budget: Duration) -> Self {
        Self {
            connect: budget / 9,
            silence: budget / 6,
            again: budget / 3,
            pause: (budget / 450).min(Duration::from_millis(200)),
            throttled: (budget / 90).min(Duration::from_secs(1)),
        }
    }

    /// The same for a service of the node itself: who does not take a connection at once is not there.
    pub(super) fn on_node(self) -> Self {
        Self { connect: self.connect / 5, ..self }
    }

    /// As the SDK takes it.
    pub(super) fn retries(&self) -> RetryOptions {
        let sdk = |duration: Duration| time::Duration::try_from(duration).unwrap_or(time::Duration::MAX);
        RetryOptions::exponential(ExponentialRetryOptions {
            // The SDK doubles it before the first repetition already.
            initial_delay: sdk(self.pause),
            max_retries: REPETITIONS,
            max_total_elapsed: sdk(self.again),
            max_delay: time::Duration::seconds(5),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_is_given_up_before_the_mount_is() {
        for seconds in [1, 20, 90, 110] {
            let budget = Duration::from_secs(seconds);
            let Patience { connect, silence, again, pause, .. } = Patience::within(budget);
            for try_takes in [connect, silence] {
                // As the SDK does it: another try as long as the first one ended no longer ago than `again`.
                let (mut taken, mut tries) = (try_takes, 1);
                while tries <= REPETITIONS && taken - try_takes < again {
                    let pause = pause * 2_u32.pow(tries);
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

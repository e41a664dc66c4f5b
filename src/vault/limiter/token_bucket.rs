//! A token bucket: a burst of requests at once, and then a rate.
//!
//! It is the generic cell rate algorithm (ITU-T I.371). It stores a time in place of a count, so rounding loses
//! nothing: a request at the time from [`TokenBucket::ready_at`] gets its token. Existing crates do not fit.
//! `governor` keeps one rate permanently, and both `governor` and `ratelimit` read a clock of their own. `gcra` takes
//! rate and time as arguments. None of them returns when the next request may go without taking a token, and a
//! request that passes two buckets needs that.

use std::time::Duration;

use tokio::time::Instant;

/// A token bucket whose rate is given with each token taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenBucket {
    /// How much earlier than its due time a request may go.
    slack: Duration,
    /// The time at which the next request is due; `None` before the first one.
    due: Option<Instant>,
}

impl TokenBucket {
    /// Returns a full bucket. At a rate of `r` it gives `1 + r * slack` tokens at once.
    pub(super) fn new(slack: Duration) -> Self {
        Self { slack, due: None }
    }

    /// Returns when there is a token; `None` if there is one at any time.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.due?.checked_sub(self.slack)
    }

    /// Takes a token. The next one follows after `interval`.
    pub(super) fn take(&mut self, now: Instant, interval: Duration) {
        self.due = Some(self.due.map_or(now, |due| due.max(now)) + interval);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Takes all available tokens, and returns their count.
    fn drain(bucket: &mut TokenBucket, now: Instant, interval: Duration) -> u32 {
        let mut taken = 0;
        while bucket.ready_at().is_none_or(|at| at <= now) {
            bucket.take(now, interval);
            taken += 1;
        }
        taken
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_rate() {
        let begin = Instant::now();
        let mut bucket = TokenBucket::new(MS * 40);
        assert_eq!(drain(&mut bucket, begin, MS * 10), 5);
        assert_eq!(bucket.ready_at(), Some(begin + MS * 10));
        assert_eq!(drain(&mut bucket, begin + MS * 9, MS * 10), 0);
        assert_eq!(drain(&mut bucket, begin + MS * 10, MS * 10), 1);
        assert_eq!(drain(&mut bucket, begin + MS * 45, MS * 10), 3);
        assert_eq!(drain(&mut bucket, begin + MS * 10_000, MS * 10), 5, "it holds no more than its burst");
    }

    proptest! {
        #[test]
        fn no_window_gets_more_than_burst_and_rate(pauses in prop::collection::vec(0_u32..100, 1..200)) {
            let mut now = Instant::now();
            let mut bucket = TokenBucket::new(MS * 40);
            let mut taken = Vec::new();
            for pause in pauses {
                now += MS * pause;
                for _ in 0..drain(&mut bucket, now, MS * 10) {
                    taken.push(now);
                }
            }
            for (first, begin) in taken.iter().enumerate() {
                for (count, end) in taken[first..].iter().enumerate() {
                    prop_assert!(count as u128 <= 4 + end.duration_since(*begin).as_millis() / 10);
                }
            }
        }
    }
}

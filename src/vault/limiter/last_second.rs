//! A count of events within the last second.

use std::time::Duration;

use tokio::time::Instant;

const SLOTS: usize = 10;
const SLOT: Duration = Duration::from_millis(100);

/// A counter of the last second, to a tenth of a second. Its size does not depend on the count.
#[derive(Debug, Default)]
pub(super) struct LastSecond {
    /// The time at which the newest slot began.
    newest: Option<Instant>,
    /// The counts by slot, the newest slot first.
    counts: [u32; SLOTS],
}

impl LastSecond {
    pub(super) fn add(&mut self, now: Instant) {
        self.advance(now);
        self.counts[0] += 1;
    }

    pub(super) fn total(&mut self, now: Instant) -> u32 {
        self.advance(now);
        self.counts.iter().sum()
    }

    fn advance(&mut self, now: Instant) {
        let newest = self.newest.get_or_insert(now);
        let slots = now.saturating_duration_since(*newest).as_millis() / SLOT.as_millis();
        let passed = usize::try_from(slots).unwrap_or(SLOTS).min(SLOTS);
        self.counts.rotate_right(passed);
        self.counts[..passed].fill(0);
        *newest += SLOT * u32::try_from(slots).unwrap_or(u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_later_nothing_is_left() {
        let begin = Instant::now();
        let mut count = LastSecond::default();
        assert_eq!(count.total(begin), 0);
        for (at, total) in [(0, 1), (50, 2), (500, 3), (999, 4)] {
            let now = begin + Duration::from_millis(at);
            count.add(now);
            assert_eq!(count.total(now), total, "{at} ms");
        }
        for (at, total) in [(1_000, 2), (1_499, 2), (1_500, 1), (1_900, 0), (1_000_000, 0)] {
            assert_eq!(count.total(begin + Duration::from_millis(at)), total, "{at} ms");
        }
    }
}

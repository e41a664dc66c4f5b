//! The clock that decides when tokens are issued and when they expire.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;

/// A clock that shows the system's time plus an offset that a test sets. Clones share the offset.
///
/// TLS certificates do not follow it: a client checks their validity against its own clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Returns the emulated time.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Returns the emulated time in seconds since the Unix epoch.
    #[must_use]
    pub fn unix(&self) -> i64 {
        self.now().unix_timestamp()
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        self.offset_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Sets the clock `seconds` ahead of the system's time, or behind it if negative.
    pub fn set_offset(&self, seconds: i64) {
        self.offset_ms.store(seconds.saturating_mul(1000), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_move_together() {
        let clock = Clock::default();
        let other = clock.clone();
        let before = other.unix();
        clock.advance(Duration::from_secs(3600));
        assert!((3600..3605).contains(&(other.unix() - before)));
    }

    #[test]
    fn an_offset_replaces_the_one_before() {
        let clock = Clock::default();
        clock.advance(Duration::from_secs(999));
        clock.set_offset(-600);
        let behind = OffsetDateTime::now_utc().unix_timestamp() - clock.unix();
        assert!((600..605).contains(&behind), "{behind}");
    }
}

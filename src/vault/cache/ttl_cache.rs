//! Values read a moment ago, for whoever asks as the same principal: bounded, and wiped when they are dropped.

use std::{hash::Hash, sync::Arc, time::Duration};

use quick_cache::{Weighter, sync::Cache};
use tokio::time::Instant;

/// The most that is kept, in bytes.
const LARGEST: u64 = 4 << 20;

/// What an entry takes beside its value, in bytes: about that of its key, and so that there are at most eight thousand.
const OVERHEAD: u64 = 512;

/// Answers by what was asked, with the moment that they were asked for. Time comes in as an argument.
pub struct Memory<K, V>(Cache<K, Remembered<V>, BySize>);

struct Remembered<V> {
    value: Arc<V>,
    /// When the vault was asked: its answer is not newer.
    asked: Instant,
    /// Until when it may be of use to anybody.
    until: Instant,
}

/// What is kept in memory, by its size.
pub trait Footprint {
    /// Bytes, about.
    fn bytes(&self) -> usize;
}

impl<V> Clone for Remembered<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ..*self }
    }
}

#[derive(Clone)]
struct BySize;

impl<K, V: Footprint> Weighter<K, Remembered<V>> for BySize {
    fn weight(&self, _: &K, remembered: &Remembered<V>) -> u64 {
        OVERHEAD + remembered.value.bytes() as u64
    }
}

impl<K: Eq + Hash + Clone, V: Footprint> Memory<K, V> {
    /// Nothing remembered yet.
    pub fn new() -> Self {
        let most = LARGEST / OVERHEAD;
        Self(Cache::with_weighter(usize::try_from(most).unwrap_or(usize::MAX), LARGEST, BySize))
    }

    /// The answer to `key`, if it was asked for within `max_age` before `now`.
    pub fn recall(&self, key: &K, max_age: Duration, now: Instant) -> Option<Arc<V>> {
        let remembered = self.0.get(key)?;
        (now.saturating_duration_since(remembered.asked) < max_age).then_some(remembered.value)
    }

    /// Keeps an answer that was asked for at `asked` for as long as `keep`, unless there is a newer one. Nothing where
    /// that is no time at all.
    pub fn remember(&self, key: K, value: Arc<V>, asked: Instant, keep: Duration) {
        let newer = self.0.peek(&key).is_some_and(|remembered| remembered.asked > asked);
        if !keep.is_zero() && !newer {
            self.0.insert(key, Remembered { value, asked, until: asked + keep });
        }
    }

    /// Forgets what `concerned` picks.
    pub fn forget(&self, concerned: impl Fn(&K) -> bool) {
        self.0.retain(|key, _| !concerned(key));
    }

    /// Drops what is of no use to anybody any more.
    pub fn tidy(&self, now: Instant) {
        self.0.retain(|_, remembered| now < remembered.until);
    }
}

impl<K: Eq + Hash + Clone, V: Footprint> Default for Memory<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Value(usize);

    impl Footprint for Value {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_is_recalled_until_it_is_too_old_for_who_asks() {
        let (memory, begin) = (Memory::new(), Instant::now());
        memory.remember("a", Arc::new(Value(1)), begin, MINUTE * 5);
        let recalled = |max_age, now| memory.recall(&"a", max_age, now).is_some();
        assert!(recalled(MINUTE, begin) && recalled(MINUTE, begin + MINUTE - Duration::from_millis(1)));
        assert!(!recalled(MINUTE, begin + MINUTE), "too old for one");
        assert!(recalled(MINUTE * 5, begin + MINUTE), "and not for another");
        assert!(!recalled(Duration::ZERO, begin), "who wants it fresh gets none");
        assert!(memory.recall(&"b", MINUTE, begin).is_none());
    }

    #[test]
    fn an_older_answer_that_comes_late_does_not_replace_a_newer_one() {
        let (memory, begin) = (Memory::new(), Instant::now());
        memory.remember("a", Arc::new(Value(2)), begin + Duration::from_secs(1), MINUTE);
        memory.remember("a", Arc::new(Value(1)), begin, MINUTE);
        assert_eq!(memory.recall(&"a", MINUTE, begin).unwrap().0, 2);
    }

    #[test]
    fn what_nobody_may_use_any_more_is_dropped() {
        let (memory, begin) = (Memory::new(), Instant::now());
        let value = Arc::new(Value(1));
        memory.remember("a", value.clone(), begin, MINUTE);
        memory.remember("kept for no time", value.clone(), begin, Duration::ZERO);
        assert_eq!(Arc::strong_count(&value), 2);
        memory.tidy(begin + MINUTE - Duration::from_millis(1));
        assert_eq!(Arc::strong_count(&value), 2);
        memory.tidy(begin + MINUTE);
        assert_eq!(Arc::strong_count(&value), 1);
        memory.remember("b", value.clone(), begin, MINUTE);
        memory.forget(|key| *key == "a");
        assert_eq!(Arc::strong_count(&value), 2);
        memory.forget(|key| *key == "b");
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn memory_is_bounded_in_bytes_and_in_entries() {
        for (size, most) in [(25_000, 4 * 1024 * 1024 / 25_000), (1, 8192)] {
            let (memory, begin) = (Memory::new(), Instant::now());
            let value = Arc::new(Value(size));
            for key in 0..20_000 {
                memory.remember(key, value.clone(), begin, MINUTE);
            }
            let kept = Arc::strong_count(&value) - 1;
            assert!(kept > most / 2 && kept <= most, "{kept} of {most} entries of {size} bytes");
        }
    }
}

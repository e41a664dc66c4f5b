//! A cache with a maximum age. It is bounded in memory, and wipes values when they are dropped.

use std::{
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache};
use tokio::time::Instant;

use crate::one_shard;

/// The most that the cache holds, in bytes.
const MAX_CACHE_BYTES: u64 = 4 << 20;

/// The overhead of an entry, in bytes: its key with a name, its times, and the room that the cache reserves in advance.
/// It limits the cache to eight thousand entries.
const ENTRY_OVERHEAD_BYTES: u64 = 512;

/// A cache of answers by key, with the time of each request. Time comes in as an argument.
pub struct TtlCache<K, V>(Cache<K, Entry<V>, BySize>);

struct Entry<V> {
    value: Arc<V>,
    /// The time of the request to the vault: the answer is not newer.
    asked: Instant,
    /// The latest time at which the answer is known to be the vault's newest one. Shared, so that an entry that was
    /// dropped meanwhile is not inserted again.
    newest_at: Arc<Mutex<Instant>>,
    /// The time after which no mount may use the answer.
    until: Instant,
}

/// A value with a known size in memory.
pub trait MemorySize {
    /// Returns the approximate size in bytes.
    fn bytes(&self) -> usize;
}

impl<V> Clone for Entry<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), newest_at: self.newest_at.clone(), ..*self }
    }
}

impl<V> Entry<V> {
    fn newest_at(&self) -> MutexGuard<'_, Instant> {
        self.newest_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone)]
struct BySize;

impl<K, V: MemorySize> Weighter<K, Entry<V>> for BySize {
    fn weight(&self, _: &K, entry: &Entry<V>) -> u64 {
        ENTRY_OVERHEAD_BYTES + entry.value.bytes() as u64
    }
}

impl<K: Eq + Hash + Clone, V: MemorySize> TtlCache<K, V> {
    /// Returns an empty cache.
    pub fn new() -> Self {
        let most = MAX_CACHE_BYTES / ENTRY_OVERHEAD_BYTES;
        Self(one_shard::cache(usize::try_from(most).unwrap_or(usize::MAX), MAX_CACHE_BYTES, BySize))
    }

    /// Returns the answer to `key`, if it was requested within `max_age` before `now`.
    pub fn get(&self, key: &K, max_age: Duration, now: Instant) -> Option<Arc<V>> {
        let entry = self.0.get(key)?;
        (now.saturating_duration_since(entry.asked) < max_age).then_some(entry.value)
    }

    /// Returns the answer to `key`, if it was requested or confirmed within `max_age` before `now`.
    pub fn get_confirmed(&self, key: &K, max_age: Duration, now: Instant) -> Option<Arc<V>> {
        let entry = self.0.get(key)?;
        let newest_at = *entry.newest_at();
        (now < entry.until && now.saturating_duration_since(newest_at) < max_age).then_some(entry.value)
    }

    /// Returns the answer to `key` and the time of its request, whatever its age.
    pub fn last(&self, key: &K) -> Option<(Arc<V>, Instant)> {
        self.0.get(key).map(|entry| (entry.value, entry.asked))
    }

    /// Records that the vault still had the answer to `key` at the time `at`, if it is the one that was requested at
    /// `asked`, and returns it.
    pub fn confirm(&self, key: &K, asked: Instant, at: Instant) -> Option<Arc<V>> {
        let entry = self.0.get(key).filter(|entry| entry.asked == asked)?;
        let mut newest_at = entry.newest_at();
        *newest_at = at.max(*newest_at);
        drop(newest_at);
        Some(entry.value)
    }

    /// Inserts an answer that was requested at `asked`, for as long as `keep`, unless there is a newer one or `keep`
    /// is zero.
    pub fn insert(&self, key: K, value: Arc<V>, asked: Instant, keep: Duration) {
        let newer = self.0.peek(&key).is_some_and(|entry| entry.asked > asked);
        if !keep.is_zero() && !newer {
            let newest_at = Arc::new(Mutex::new(asked));
            self.0.insert(key, Entry { value, asked, newest_at, until: asked + keep });
        }
    }

    /// Removes the entries whose keys `concerned` selects.
    pub fn invalidate(&self, concerned: impl Fn(&K) -> bool) {
        self.0.retain(|key, _| !concerned(key));
    }

    /// Drops entries that no mount may use any more.
    pub fn evict_expired(&self, now: Instant) {
        self.0.retain(|_, entry| now < entry.until);
    }
}

impl<K: Eq + Hash + Clone, V: MemorySize> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Value(usize);

    impl MemorySize for Value {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_entry_is_a_hit_until_its_maximum_age() {
        let (memory, begin) = (TtlCache::new(), Instant::now());
        memory.insert("a", Arc::new(Value(1)), begin, MINUTE * 5);
        let recalled = |max_age, now| memory.get(&"a", max_age, now).is_some();
        assert!(recalled(MINUTE, begin) && recalled(MINUTE, begin + MINUTE - Duration::from_millis(1)));
        assert!(!recalled(MINUTE, begin + MINUTE), "too old for one");
        assert!(recalled(MINUTE * 5, begin + MINUTE), "and not for another");
        assert!(!recalled(Duration::ZERO, begin), "a maximum age of zero is never a hit");
        assert!(memory.get(&"b", MINUTE, begin).is_none());
    }

    #[test]
    fn a_confirmed_entry_is_as_young_as_its_confirmation() {
        let (memory, begin) = (TtlCache::new(), Instant::now());
        memory.insert("a", Arc::new(Value(1)), begin, MINUTE * 60);
        let confirmed = |now| memory.get_confirmed(&"a", MINUTE, now).is_some();
        assert!(confirmed(begin) && !confirmed(begin + MINUTE));
        assert!(memory.confirm(&"a", begin, begin + MINUTE).is_some());
        assert!(confirmed(begin + MINUTE) && !confirmed(begin + MINUTE * 2));
        assert!(memory.get(&"a", MINUTE, begin + MINUTE).is_none(), "its request is no younger");
        assert_eq!(memory.last(&"a").map(|(_, asked)| asked), Some(begin));
        assert!(memory.confirm(&"a", begin, begin).is_some(), "an older confirmation that comes late");
        assert!(confirmed(begin + MINUTE));
        memory.confirm(&"a", begin, begin + MINUTE * 60);
        assert!(!confirmed(begin + MINUTE * 60), "no mount may use it any more");
    }

    #[test]
    fn an_entry_that_is_no_longer_there_is_not_confirmed() {
        let (memory, begin) = (TtlCache::new(), Instant::now());
        memory.insert("a", Arc::new(Value(1)), begin, MINUTE * 60);
        memory.insert("a", Arc::new(Value(2)), begin + MINUTE, MINUTE * 60);
        assert!(memory.confirm(&"a", begin, begin + MINUTE * 2).is_none(), "another answer replaced it");
        memory.invalidate(|_| true);
        assert!(memory.confirm(&"a", begin + MINUTE, begin + MINUTE * 2).is_none());
        assert!(memory.last(&"a").is_none());
    }

    #[test]
    fn an_older_answer_that_comes_late_does_not_replace_a_newer_one() {
        let (memory, begin) = (TtlCache::new(), Instant::now());
        memory.insert("a", Arc::new(Value(2)), begin + Duration::from_secs(1), MINUTE);
        memory.insert("a", Arc::new(Value(1)), begin, MINUTE);
        assert_eq!(memory.get(&"a", MINUTE, begin).unwrap().0, 2);
    }

    /// The number of processors does not matter: each could have its part of the memory.
    #[test]
    fn a_long_list_is_kept() {
        let (memory, begin) = (TtlCache::new(), Instant::now());
        memory.insert("short", Arc::new(Value(1)), begin, MINUTE);
        memory.insert("long", Arc::new(Value(1 << 20)), begin, MINUTE);
        assert!(
            memory.get(&"long", MINUTE, begin).is_some() && memory.get(&"short", MINUTE, begin).is_some()
        );
    }

    #[test]
    fn what_nobody_may_use_any_more_is_dropped() {
        let (memory, begin) = (TtlCache::new(), Instant::now());
        let value = Arc::new(Value(1));
        memory.insert("a", value.clone(), begin, MINUTE);
        memory.insert("kept for no time", value.clone(), begin, Duration::ZERO);
        assert_eq!(Arc::strong_count(&value), 2);
        memory.evict_expired(begin + MINUTE - Duration::from_millis(1));
        assert_eq!(Arc::strong_count(&value), 2);
        memory.evict_expired(begin + MINUTE);
        assert_eq!(Arc::strong_count(&value), 1);
        memory.insert("b", value.clone(), begin, MINUTE);
        memory.invalidate(|key| *key == "a");
        assert_eq!(Arc::strong_count(&value), 2);
        memory.invalidate(|key| *key == "b");
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn memory_is_bounded_in_bytes_and_in_entries() {
        for (size, most) in [(25_000, 4 * 1024 * 1024 / 25_000), (1, 8192)] {
            let (memory, begin) = (TtlCache::new(), Instant::now());
            let value = Arc::new(Value(size));
            for key in 0..20_000 {
                memory.insert(key, value.clone(), begin, MINUTE);
            }
            let kept = Arc::strong_count(&value) - 1;
            assert!(kept > most / 2 && kept <= most, "{kept} of {most} entries of {size} bytes");
        }
    }
}

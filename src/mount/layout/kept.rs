//! What a mount has taken apart or parsed, up to a bound. One object can be requested by thousands of entries.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// The most memory of the kept values, in bytes; the last one is kept whatever its size.
const MAX_KEPT_BYTES: usize = 2 << 20;

/// Values by key, of which the oldest are dropped beyond a bound of memory.
pub(super) struct Kept<K, V> {
    values: HashMap<K, (V, usize)>,
    /// The keys of the values, the oldest first.
    order: VecDeque<K>,
    bytes: usize,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), bytes: 0 }
    }
}

impl<K: Clone + Eq + Hash, V> Kept<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(value, _)| value)
    }

    /// Keeps a value that takes this many bytes, under a key that has none. Drops the oldest ones if need be.
    pub(super) fn insert(&mut self, key: K, value: V, bytes: usize) {
        self.bytes += bytes;
        while self.bytes > MAX_KEPT_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            self.bytes -= self.values.remove(&oldest).map_or(0, |(_, bytes)| bytes);
        }
        self.order.push_back(key.clone());
        self.values.insert(key, (value, bytes));
    }
}

#[cfg(test)]
impl<K, V> Kept<K, V> {
    pub(super) fn assert_bounded(&self) {
        let sizes = || self.values.values().map(|(_, bytes)| *bytes);
        assert_eq!((sizes().sum::<usize>(), self.values.len()), (self.bytes, self.order.len()));
        let most = MAX_KEPT_BYTES.max(sizes().max().unwrap_or_default());
        assert!(self.bytes <= most, "{} bytes", self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_values_are_dropped_beyond_two_mebibytes_and_the_last_one_is_kept() {
        let mut kept = Kept::default();
        let keys = |kept: &Kept<u32, ()>| (0..10).filter(|key| kept.get(key).is_some()).collect::<Vec<_>>();
        for key in 0..4 {
            kept.insert(key, (), 512 << 10);
        }
        assert_eq!(keys(&kept), [0, 1, 2, 3]);
        kept.insert(4, (), 1 << 20);
        assert_eq!(keys(&kept), [2, 3, 4]);
        kept.insert(5, (), 1);
        assert_eq!(keys(&kept), [3, 4, 5]);
        kept.insert(6, (), 64 << 20);
        assert_eq!(keys(&kept), [6]);
        kept.insert(7, (), 1);
        assert_eq!((keys(&kept), kept.bytes), (vec![7], 1));
    }
}

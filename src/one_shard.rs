//! Caches whose bounds hold for all entries together.

use std::hash::Hash;

use quick_cache::{
    DefaultHashBuilder, Lifecycle, OptionsBuilder, UnitWeighter, Weighter,
    sync::{Cache, DefaultLifecycle},
};

/// Returns an empty cache of at most `items` entries.
pub(crate) fn of_items<K: Eq + Hash, V: Clone>(items: usize) -> Cache<K, V> {
    cache(items, items as u64, UnitWeighter)
}

/// Returns an empty cache of about `items` entries, which weigh at most `weight`.
pub(crate) fn cache<K, V, W>(items: usize, weight: u64, weighter: W) -> Cache<K, V, W>
where
    K: Eq + Hash,
    V: Clone,
    W: Weighter<K, V> + Clone,
{
    with_lifecycle(items, weight, weighter, DefaultLifecycle::default())
}

/// Returns an empty cache with this lifecycle.
///
/// By default each processor has four shards, each with its part of the bounds. On a node with many processors, large
/// entries would fit into none, and a few entries of one shard would evict each other. One thread serves all mounts, so
/// that shards would gain nothing.
pub(crate) fn with_lifecycle<K, V, W, L>(
    items: usize,
    weight: u64,
    weighter: W,
    lifecycle: L,
) -> Cache<K, V, W, DefaultHashBuilder, L>
where
    K: Eq + Hash,
    V: Clone,
    W: Weighter<K, V> + Clone,
    L: Lifecycle<K, V> + Clone,
{
    let options = OptionsBuilder::new()
        .estimated_items_capacity(items)
        .weight_capacity(weight)
        .shards(1)
        .build()
        .expect("both capacities are given");
    Cache::with_options(options, weighter, DefaultHashBuilder::default(), lifecycle)
}

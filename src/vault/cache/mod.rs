//! Caches of a vault's answers, shared by mounts.

mod cache_policy;
mod read_cache;
mod ttl_cache;

pub use self::{
    cache_policy::{CacheSettings, MaxAge},
    read_cache::{Answer, Reader},
    ttl_cache::{MemorySize, TtlCache},
};

pub(super) use self::read_cache::ReadCache;

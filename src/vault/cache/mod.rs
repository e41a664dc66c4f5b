//! Caches of a vault's answers, shared by mounts.

mod access;
mod cache_policy;
mod read_cache;
mod refused_reads;
mod ttl_cache;

pub use self::{
    cache_policy::{CacheSettings, MaxAge},
    read_cache::{Answer, Reader},
    ttl_cache::{MemorySize, TtlCache},
};

pub(super) use self::read_cache::{Cacheable, ReadCache};

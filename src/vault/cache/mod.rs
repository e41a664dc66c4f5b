//! Caches of a vault's answers, shared by mounts.

mod access;
mod cache_policy;
mod key;
mod read_cache;
mod refused_reads;
mod revalidation;
mod store;
mod ttl_cache;

pub use self::{
    cache_policy::{CacheSettings, MaxAge, RepublishCheck},
    read_cache::{Answer, Reader},
    revalidation::{Attributes, Decision, KnownLists, LastRead, Lists, MAX_UNREAD, page_budget, turn},
    ttl_cache::{MemorySize, TtlCache},
};

pub(super) use self::{
    read_cache::{Cacheable, ReadCache},
    revalidation::{CacheReader, Requests, Round},
};

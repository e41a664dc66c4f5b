//! The connection pools of a client, one for each host.
//!
//! hyper's client drops its idle connections all together or not at all. With a client for each host, a dead
//! connection costs only its own host's connections.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use quick_cache::sync::Cache;

use super::connect::Connector;

/// How long an idle connection is kept. Key Vault and Entra keep it longer.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// The most idle connections to a host.
pub(super) const MAX_IDLE_CONNECTIONS: usize = 64;

/// The most hosts with a pool. Vault names come from SecretProviderClasses, so there is a bound.
const MAX_HOSTS: usize = 1_000;

/// A map of pools by authority.
pub(super) struct Pools {
    by_host: Cache<String, Pool>,
    connector: Connector,
}

/// A pool of connections to one host. Clones share the connections.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) client: legacy::Client<Connector, Full<Bytes>>,
    /// Distinguishes the pool from its successor.
    id: Arc<()>,
}

impl Pools {
    pub(super) fn new(connector: Connector) -> Self {
        Self { by_host: Cache::new(MAX_HOSTS), connector }
    }

    /// Returns the pool of a host.
    pub(super) fn of(&self, authority: &str) -> Pool {
        let Ok(pool) = self.by_host.get_or_insert_with(authority, || Ok::<_, Infallible>(self.pool()));
        pool
    }

    /// Drops the idle connections of `used`, unless another request has dropped them before.
    pub(super) fn renew(&self, authority: &str, used: &Pool) {
        let is_used = |pool: &Pool| Arc::ptr_eq(&pool.id, &used.id);
        if self.by_host.remove_if(authority, is_used).is_some() {
            self.connector.give_up(authority);
        }
    }

    fn pool(&self) -> Pool {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(MAX_IDLE)
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .pool_timer(TokioTimer::new())
            .build(self.connector.clone());
        Pool { client, id: Arc::default() }
    }
}

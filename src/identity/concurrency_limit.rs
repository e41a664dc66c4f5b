//! How many tokens are asked for at once.

use std::sync::Arc;

use azure_core::{
    error::{Error, ErrorKind},
    http::{
        Context, Request,
        policies::{Policy, PolicyResult},
    },
};
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use crate::transport::below;

/// Each request has a connection, and a connection has memory and a handshake: a node that fills up gets its tokens
/// sooner over a few connections than over one for each pod.
const MAX_TOKEN_REQUESTS: usize = 16;

/// How many authorities are told apart.
const AUTHORITIES: usize = 100;

/// The line before each authority, so that one that hangs keeps no other waiting.
#[derive(Clone)]
pub(super) struct ConcurrencyLimit(Arc<Cache<String, Arc<Semaphore>>>);

impl ConcurrencyLimit {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(AUTHORITIES)))
    }

    /// What each request of a credential goes through.
    pub(super) fn policy(&self) -> Arc<dyn Policy> {
        Arc::new(AtOncePolicy(self.clone()))
    }

    fn line(&self, authority: &str) -> Arc<Semaphore> {
        let line = self.0.get_or_insert_with(authority, || Ok(Arc::new(Semaphore::new(MAX_TOKEN_REQUESTS))));
        line.unwrap_or_else(|never: std::convert::Infallible| match never {})
    }
}

impl std::fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConcurrencyLimit")
    }
}

#[derive(Debug)]
struct AtOncePolicy(ConcurrencyLimit);

#[async_trait::async_trait]
impl Policy for AtOncePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let line = self.0.line(request.url().authority());
        let _turn = line.acquire().await.map_err(|closed| Error::new(ErrorKind::Other, closed))?;
        below(ctx, request, next).await
    }
}

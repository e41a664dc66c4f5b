//! A limit of concurrent token requests.

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

/// The most concurrent token requests to one authority. Each request has a connection, and a connection costs memory
/// and a handshake. A node that fills up gets its tokens sooner over a few connections than over one for each pod.
const MAX_TOKEN_REQUESTS: usize = 16;

/// The most authorities with a limit of their own.
const AUTHORITIES: usize = 100;

/// A semaphore for each authority, so that an authority that hangs does not delay the others.
#[derive(Clone)]
pub(super) struct ConcurrencyLimit(Arc<Cache<String, Arc<Semaphore>>>);

impl ConcurrencyLimit {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(AUTHORITIES)))
    }

    /// Returns the pipeline policy that each token request passes.
    pub(super) fn policy(&self) -> Arc<dyn Policy> {
        Arc::new(ConcurrencyLimitPolicy(self.clone()))
    }

    fn line(&self, authority: &str) -> Arc<Semaphore> {
        let semaphore =
            self.0.get_or_insert_with(authority, || Ok(Arc::new(Semaphore::new(MAX_TOKEN_REQUESTS))));
        semaphore.unwrap_or_else(|never: std::convert::Infallible| match never {})
    }
}

impl std::fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConcurrencyLimit")
    }
}

#[derive(Debug)]
struct ConcurrencyLimitPolicy(ConcurrencyLimit);

#[async_trait::async_trait]
impl Policy for ConcurrencyLimitPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let semaphore = self.0.line(request.url().authority());
        let _permit = semaphore.acquire().await.map_err(|closed| Error::new(ErrorKind::Other, closed))?;
        below(ctx, request, next).await
    }
}

//! A limit of concurrent token requests to each host that gets them.

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

/// The most concurrent token requests to one host. Each request has a connection, and a connection costs memory
/// and a handshake. A node that fills up gets its tokens sooner over a few connections than over one for each pod.
const MAX_TOKEN_REQUESTS: usize = 16;

/// The most hosts with a limit of their own.
const MAX_HOSTS: usize = 100;

/// A semaphore for each host, so that a host that hangs does not delay the others.
#[derive(Clone)]
pub(super) struct ConcurrencyLimit(Arc<Cache<String, Arc<Semaphore>>>);

impl ConcurrencyLimit {
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::new(MAX_HOSTS)))
    }

    /// Returns the pipeline policy that each token request passes. `sent_to` is the host and port of a transport that
    /// sends all requests there, whatever authority their URLs name; `None` means that of the URL.
    pub(super) fn policy(&self, sent_to: Option<String>) -> Arc<dyn Policy> {
        Arc::new(ConcurrencyLimitPolicy { limit: self.clone(), sent_to })
    }

    fn of(&self, host: &str) -> Arc<Semaphore> {
        let semaphore = self.0.get_or_insert_with(host, || Ok(Arc::new(Semaphore::new(MAX_TOKEN_REQUESTS))));
        semaphore.unwrap_or_else(|never: std::convert::Infallible| match never {})
    }
}

impl std::fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConcurrencyLimit")
    }
}

#[derive(Debug)]
struct ConcurrencyLimitPolicy {
    limit: ConcurrencyLimit,
    sent_to: Option<String>,
}

#[async_trait::async_trait]
impl Policy for ConcurrencyLimitPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let host = self.sent_to.as_deref().unwrap_or(request.url().authority());
        let semaphore = self.limit.of(host);
        let _permit = semaphore.acquire().await.map_err(|closed| Error::new(ErrorKind::Other, closed))?;
        below(ctx, request, next).await
    }
}

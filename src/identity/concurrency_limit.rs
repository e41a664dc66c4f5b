//! A limit of concurrent token requests to each host that gets them, of which each tenant gets a part.

use std::{convert::Infallible, sync::Arc};

use azure_core::http::{
    Context, Request,
    policies::{Policy, PolicyResult},
};
use quick_cache::sync::Cache;

use crate::{one_shard, permits_by_name::PermitsByName, transport::below};

/// The most concurrent token requests to one host for one tenant. Each request has a connection, and a connection costs
/// memory and a handshake. A node that fills up gets its tokens sooner over a few connections than over one for each pod.
const MAX_REQUESTS_OF_TENANT: usize = 16;

/// The most concurrent token requests to one host: three tenants that hang leave connections for the others.
const MAX_REQUESTS: usize = 64;

/// The most hosts with a limit of their own.
const MAX_HOSTS: usize = 100;

/// Permits for each host, so that a host that hangs does not delay the others, nor a tenant the others of its host.
#[derive(Clone)]
pub(super) struct ConcurrencyLimit(Arc<Cache<String, PermitsByName>>);

impl ConcurrencyLimit {
    pub(super) fn new() -> Self {
        Self(Arc::new(one_shard::of_items(MAX_HOSTS)))
    }

    /// Returns the pipeline policy that each token request passes. `sent_to` is the host and port of a transport that
    /// sends all requests there, whatever authority their URLs name; `None` means that of the URL.
    pub(super) fn policy(&self, sent_to: Option<String>) -> Arc<dyn Policy> {
        Arc::new(ConcurrencyLimitPolicy { limit: self.clone(), sent_to })
    }

    fn of(&self, host: &str) -> PermitsByName {
        let make = || Ok::<_, Infallible>(PermitsByName::new(MAX_REQUESTS, MAX_REQUESTS_OF_TENANT));
        let Ok(permits) = self.0.get_or_insert_with(host, make);
        permits
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
        // The path begins with the tenant, in any case of letters, and is otherwise the same for all.
        let tenant = self.limit.of(host).of(&request.url().path().to_ascii_lowercase().into());
        let _permit = tenant.acquire().await;
        below(ctx, request, next).await
    }
}

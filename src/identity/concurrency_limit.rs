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

/// The most concurrent token requests to IMDS, which answers 429 to more
/// (<https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service#rate-limiting>). The path is the same
/// for all identities.
const MAX_REQUESTS_OF_IMDS: usize = 5;

/// The most hosts with a limit of their own.
const MAX_HOSTS: usize = 100;

/// Permits for each host, so that a host that hangs does not delay the others, nor a tenant the others of its host. IMDS
/// knows no tenants.
#[derive(Clone)]
pub(super) struct ConcurrencyLimit {
    hosts: Arc<Cache<String, PermitsByName>>,
    all: usize,
    of_tenant: usize,
}

impl ConcurrencyLimit {
    /// Creates the limit of hosts that know tenants.
    pub(super) fn of_entra() -> Self {
        Self::new(MAX_REQUESTS, MAX_REQUESTS_OF_TENANT)
    }

    /// Creates the limit of the node's IMDS.
    pub(super) fn of_imds() -> Self {
        Self::new(MAX_REQUESTS_OF_IMDS, MAX_REQUESTS_OF_IMDS)
    }

    fn new(all: usize, of_tenant: usize) -> Self {
        Self { hosts: Arc::new(one_shard::of_items(MAX_HOSTS)), all, of_tenant }
    }

    /// Returns the pipeline policy that each token request passes. `sent_to` is the host and port of a transport that
    /// sends all requests there, whatever authority their URLs name; `None` means that of the URL.
    pub(super) fn policy(&self, sent_to: Option<String>) -> Arc<dyn Policy> {
        Arc::new(ConcurrencyLimitPolicy { limit: self.clone(), sent_to })
    }

    fn of(&self, host: &str) -> PermitsByName {
        let make = || Ok::<_, Infallible>(PermitsByName::new(self.all, self.of_tenant));
        let Ok(permits) = self.hosts.get_or_insert_with(host, make);
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
        // Entra's path begins with the tenant, in any case of letters, and is otherwise the same for all.
        let tenant = self.limit.of(host).of(&request.url().path().to_ascii_lowercase().into());
        let _permit = tenant.acquire().await;
        below(ctx, request, next).await
    }
}

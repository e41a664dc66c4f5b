//! State of each vault's host, shared by all mounts that read from it.

use std::{convert::Infallible, sync::Arc};

use azure_core::http::policies::Policy;
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, sync::Cache};

use crate::{cloud::VaultEndpoint, metrics::Metrics, one_shard, transport::Timeouts};

use super::{
    auth::ChallengeCachePolicy,
    limiter::{LimiterPolicy, SharedRoom},
};

/// The most vaults with a state. Vault names come from SecretProviderClasses, so there is a bound.
const MAX_HOSTS: usize = 1_000;

/// A map of vault hosts. Clones share it.
#[derive(Clone)]
pub(super) struct VaultHosts {
    /// By endpoint, since a challenge names the authority and audience of a cloud.
    probes: Arc<Cache<VaultEndpoint, Arc<ChallengeCachePolicy>>>,
    /// By host, since Key Vault counts the requests to a vault, whichever cloud file or audience led to it.
    limiters: Arc<Limiters>,
    /// The room for requests to all of them.
    room: SharedRoom,
    metrics: Metrics,
    timeouts: Timeouts,
}

type Limiters = Cache<Arc<str>, Arc<LimiterPolicy>, UnitWeighter, DefaultHashBuilder, KeepsLimits>;

/// A cache policy that never evicts a limiter that is in use, or whose vault throttles. With a new limiter, the next
/// mount would send requests to a vault that has just asked for a pause.
#[derive(Debug, Clone)]
struct KeepsLimits;

/// The state of one vault's host.
#[derive(Clone)]
pub(super) struct VaultHost {
    /// The host and port of the vault.
    pub(super) name: Arc<str>,
    /// The challenge, learned once: it does not depend on the identity.
    pub(super) probe: Arc<ChallengeCachePolicy>,
    /// The limiter of requests to the host.
    pub(super) limiter: Arc<LimiterPolicy>,
}

impl VaultHosts {
    pub(super) fn new(metrics: Metrics, timeouts: Timeouts) -> Self {
        let limiters = one_shard::with_lifecycle(MAX_HOSTS, MAX_HOSTS as u64, UnitWeighter, KeepsLimits);
        Self {
            probes: Arc::new(one_shard::of_items(MAX_HOSTS)),
            limiters: Arc::new(limiters),
            room: SharedRoom::new(),
            metrics,
            timeouts,
        }
    }

    /// Returns the host of the vault at `endpoint`.
    pub(super) fn of(&self, endpoint: &VaultEndpoint) -> VaultHost {
        let name: Arc<str> = endpoint.name().into();
        let make_probe = || Ok::<_, Infallible>(Arc::new(ChallengeCachePolicy::new(endpoint.clone())));
        let Ok(probe) = self.probes.get_or_insert_with(endpoint, make_probe);
        let make_limiter = || {
            let limiter = LimiterPolicy::new(name.clone(), &self.room, self.metrics.clone(), self.timeouts);
            Ok::<_, Infallible>(Arc::new(limiter))
        };
        let Ok(limiter) = self.limiters.get_or_insert_with(&name, make_limiter);
        VaultHost { name, probe, limiter }
    }
}

impl VaultHost {
    /// Returns the pipeline policies that each request to the host passes.
    pub(super) fn policies(&self) -> [Arc<dyn Policy>; 2] {
        [self.probe.clone(), self.limiter.clone()]
    }
}

impl Lifecycle<Arc<str>, Arc<LimiterPolicy>> for KeepsLimits {
    type RequestState = ();

    fn is_pinned(&self, _: &Arc<str>, limiter: &Arc<LimiterPolicy>) -> bool {
        Arc::strong_count(limiter) > 1 || limiter.is_limited()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Weak, time::Duration};

    use async_trait::async_trait;
    use azure_core::http::{
        AsyncRawResponse, Context, Method, Request, StatusCode, headers::Headers, policies::PolicyResult,
    };

    use super::*;

    /// Returns hosts at their capacity.
    fn hosts() -> VaultHosts {
        let hosts = VaultHosts::new(Metrics::new(false), Timeouts::within(Duration::from_secs(90)));
        ask_for_many(&hosts);
        hosts
    }

    fn endpoint(vault: &str, audience: &str) -> VaultEndpoint {
        VaultEndpoint {
            url: format!("https://{vault}.vault.azure.net/").parse().unwrap(),
            authority: "https://login.microsoftonline.com/".parse().unwrap(),
            audience: audience.to_owned(),
        }
    }

    /// Uses ten times as many vaults as there is room for.
    fn ask_for_many(hosts: &VaultHosts) {
        for number in 0..MAX_HOSTS * 10 {
            hosts.of(&endpoint(&format!("vault-{number}"), "https://vault.azure.net"));
        }
        assert!(hosts.limiters.len() <= MAX_HOSTS + 1, "{}", hosts.limiters.len());
    }

    #[derive(Debug)]
    struct Throttles;

    #[async_trait]
    impl Policy for Throttles {
        async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            let mut headers = Headers::new();
            headers.insert("retry-after", "60");
            Ok(AsyncRawResponse::from_bytes(StatusCode::TooManyRequests, headers, &b""[..]))
        }
    }

    #[test]
    fn a_vault_has_one_limiter_whatever_cloud_led_there() {
        let hosts = hosts();
        let [first, other] = ["https://vault.azure.net", "https://vault.example/guid"]
            .map(|audience| hosts.of(&endpoint("lab", audience)));
        assert!(Arc::ptr_eq(&first.limiter, &other.limiter));
        assert!(!Arc::ptr_eq(&first.probe, &other.probe), "a challenge is that of one cloud");
        let shouted = hosts.of(&endpoint("LAB", "https://vault.azure.net"));
        assert!(Arc::ptr_eq(&first.limiter, &shouted.limiter), "the same host, spelt otherwise");
        let another = hosts.of(&endpoint("lab-2", "https://vault.azure.net"));
        assert!(!Arc::ptr_eq(&first.limiter, &another.limiter));
    }

    #[test]
    fn a_limiter_in_use_outlives_any_number_of_other_vaults() {
        let hosts = hosts();
        let lab = endpoint("lab", "https://vault.azure.net");
        let in_use = hosts.of(&lab);
        ask_for_many(&hosts);
        assert!(Arc::ptr_eq(&in_use.limiter, &hosts.of(&lab).limiter));
    }

    #[test]
    fn a_limiter_that_nothing_uses_is_forgotten() {
        let hosts = hosts();
        let unused = Arc::downgrade(&hosts.of(&endpoint("lab", "https://vault.azure.net")).limiter);
        ask_for_many(&hosts);
        assert!(unused.upgrade().is_none());
    }

    /// Sends a request to a vault that refuses it for a minute, and returns the vault's limiter.
    async fn throttled(hosts: &VaultHosts) -> Weak<LimiterPolicy> {
        let lab = hosts.of(&endpoint("lab", "https://vault.azure.net"));
        let mut request = Request::new("https://lab.vault.azure.net/".parse().unwrap(), Method::Get);
        let next: [Arc<dyn Policy>; 1] = [Arc::new(Throttles)];
        lab.limiter.send(&Context::new(), &mut request, &next).await.unwrap_err();
        Arc::downgrade(&lab.limiter)
    }

    #[tokio::test(start_paused = true)]
    async fn a_vault_that_throttles_is_not_forgotten_for_any_number_of_other_vaults() {
        let hosts = hosts();
        let limiter = throttled(&hosts).await;
        ask_for_many(&hosts);
        assert!(limiter.upgrade().is_some_and(|limiter| limiter.is_throttling()));
    }

    /// Such limiters were once kept for as long as the provider ran.
    #[tokio::test(start_paused = true)]
    async fn a_vault_that_throttled_and_is_not_read_any_more_is_forgotten() {
        let hosts = hosts();
        let limiter = throttled(&hosts).await;
        // The wait of a minute with its jitter, and a minute more.
        tokio::time::advance(Duration::from_secs(60 + 15 + 60)).await;
        ask_for_many(&hosts);
        assert!(limiter.upgrade().is_none());
    }
}

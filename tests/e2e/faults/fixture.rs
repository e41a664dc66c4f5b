//! A fixture for the fault matrix: an Azure with one secret, a provider with short timeouts, and the assertions of a
//! row.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use akv_emulator::{Fault, Route, Service};
use akv_provider::{
    cli::Config,
    transport::{Timeouts, Transports},
};
use tonic::{Code, Status};

use crate::harness::{Azure, Driver, MountCall, Mounted, Provider};

/// The tries of a request: one, and four retries.
pub(super) const TRIES: Tries = 5..=5;

/// A range of request counts.
pub(super) type Tries = RangeInclusive<usize>;

/// Only the first try.
pub(super) const ONCE: Tries = 1..=1;

/// The tries, and immediate repetitions because a pooled connection was dead.
pub(super) const TRIES_AND_DEAD_CONNECTIONS: Tries = 5..=7;

/// The timeouts of a mount, shortened for tests: a hanging request times out after half a second, and retries are
/// immediate.
pub(super) const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    read_idle: Duration::from_millis(500),
    retry_window: Duration::from_secs(10),
    initial_backoff: Duration::from_millis(1),
    throttle_backoff: Duration::from_millis(20),
    throttle_wait: Duration::from_secs(15),
    list_wait: Duration::from_secs(1),
};

/// The time limit for all requests of a mount in Azure's journal. With [`TIMEOUTS`], a thirtieth of kubelet's two
/// minutes would do, but a busy machine takes longer.
const WITHIN: Duration = Duration::from_secs(20);

/// The requests that a row breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Reads with a token.
    Vault,
    /// The anonymous probe before reads.
    Probe,
    /// Entra's token endpoint.
    Entra,
}

impl At {
    pub(super) fn route(self) -> Route {
        match self {
            Self::Vault => Route::service(Service::Vault).credentials(true),
            Self::Probe => Route::service(Service::Vault).credentials(false),
            Self::Entra => Route::token_endpoint(),
        }
    }

    /// Returns the host that a message must name.
    fn host(self) -> &'static str {
        match self {
            Self::Vault | Self::Probe => "lab",
            Self::Entra => "login.microsoftonline.com",
        }
    }
}

/// A row's Azure and provider.
pub(super) struct FaultFixture {
    pub(super) azure: Azure,
    pub(super) provider: Provider,
    pods: AtomicU64,
}

impl FaultFixture {
    pub(super) async fn new() -> Self {
        Self::over(Azure::with_secrets(&[("db-password", "x")]).await, |_| {}, |_| {})
    }

    /// Creates a fixture with other settings and other transports.
    pub(super) fn over(
        azure: Azure,
        settings: impl FnOnce(&mut Config),
        ways: impl FnOnce(&mut Transports),
    ) -> Self {
        let mut transports = azure.transports_with(TIMEOUTS);
        ways(&mut transports);
        let provider = Provider::start_over_changed(&azure, transports, settings);
        Self { azure, provider, pods: AtomicU64::new(1) }
    }

    pub(super) fn driver(&self) -> Driver {
        self.provider.driver()
    }

    pub(super) fn call(&self) -> MountCall {
        MountCall::of_secrets(&self.azure, &["db-password"])
    }

    /// Mounts for a new pod with its own token, so that the mount needs Entra too.
    pub(super) async fn mount(&self) -> Result<Mounted, Status> {
        let (audience, pod) = ("api://AzureADTokenExchange", self.pods.fetch_add(1, Ordering::Relaxed));
        let token =
            self.azure.service_account_token("default", "app", audience, Duration::from_secs(3_600 + pod));
        let tokens = serde_json::json!({ audience: { "token": token } }).to_string();
        let call = self.call().of_another_pod().with("csi.storage.k8s.io/serviceAccount.tokens", &tokens);
        self.driver().mount(&call).await
    }

    /// Injects the fault once: the mount succeeds after this many requests.
    pub(super) async fn recovers_from(&self, at: At, fault: Fault, requests: usize) {
        self.azure.journal().clear();
        let id = self.azure.faults().inject_times(1, at.route(), fault.clone());
        let mounted = self.mount().await.unwrap_or_else(|status| panic!("{at:?} {fault:?}: {status}"));
        assert_eq!(mounted.text("db-password"), "x");
        assert_eq!(self.azure.faults().hits(id), 1, "{at:?} {fault:?}");
        self.saw(at, requests..=requests, &format!("{at:?} {fault:?}, once"));
    }

    /// Injects the fault into every request. The mount fails with this code after this many requests, and its message
    /// names host and object. The next mount, without the fault, succeeds.
    pub(super) async fn fails(&self, at: At, fault: Fault, code: Code, requests: Tries) -> Status {
        self.azure.journal().clear();
        let id = self.azure.faults().inject(at.route(), fault.clone());
        let Err(status) = self.mount().await else { panic!("{at:?} {fault:?}: mounted") };
        assert_eq!(status.code(), code, "{at:?} {fault:?}: {status}");
        for part in [at.host(), "secret/db-password"] {
            assert!(status.message().contains(part), "{at:?} {fault:?}: no {part} in {status}");
        }
        self.saw(at, requests, &format!("{at:?} {fault:?}, permanently"));
        let Err(again) = self.mount().await else { panic!("{at:?} {fault:?}: mounted") };
        assert_eq!(again.message(), status.message(), "{at:?} {fault:?}: two tries of one failure");
        self.azure.faults().remove(id);
        self.mount().await.unwrap_or_else(|status| panic!("after {at:?} {fault:?}: {status}"));
        status
    }

    /// Asserts the number of requests, and that none was sent long after the first.
    pub(super) fn saw(&self, at: At, requests: Tries, label: &str) {
        let seen = self.azure.journal().filter(&at.route());
        assert!(requests.contains(&seen.len()), "{label}: {:?}", self.azure.journal().lines());
        if let [first, .., last] = &seen[..] {
            assert!(last.at - first.at < WITHIN, "{label}: {:?}", last.at - first.at);
        }
    }
}

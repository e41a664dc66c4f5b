//! An Azure with one secret, a provider with little timeouts, and what a row asserts on.

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

/// The tries of a request: one, and four repetitions.
pub(super) const TRIES: Tries = 5..=5;

/// From so many requests to so many.
pub(super) type Tries = RangeInclusive<usize>;

/// No other than the first.
pub(super) const ONCE: Tries = 1..=1;

/// The same, and those that go out at once because a connection has died since it was last used.
pub(super) const TRIES_AND_DEAD_CONNECTIONS: Tries = 5..=7;

/// As a mount's own, but for a test: what hangs is given up after half a second, and repetitions come at once.
pub(super) const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    read_idle: Duration::from_millis(500),
    retry_window: Duration::from_secs(10),
    initial_backoff: Duration::from_millis(1),
    throttle_backoff: Duration::from_millis(20),
    throttle_wait: Duration::from_secs(15),
};

/// Within this everything has come to an end, as Azure's journal tells it: a thirtieth of what kubelet waits would do
/// for a mount with [`TIMEOUTS`], and a busy machine takes longer.
const WITHIN: Duration = Duration::from_secs(20);

/// Whose answers a row spoils.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Reads with a token.
    Vault,
    /// The anonymous probe before them.
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

    /// Whom a message must name.
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

    /// With other settings, and other ways out.
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

    /// For a new pod with a token of its own, so that the mount needs Entra too.
    pub(super) async fn mount(&self) -> Result<Mounted, Status> {
        let (audience, pod) = ("api://AzureADTokenExchange", self.pods.fetch_add(1, Ordering::Relaxed));
        let token =
            self.azure.service_account_token("default", "app", audience, Duration::from_secs(3_600 + pod));
        let tokens = serde_json::json!({ audience: { "token": token } }).to_string();
        let call = self.call().of_another_pod().with("csi.storage.k8s.io/serviceAccount.tokens", &tokens);
        self.driver().mount(&call).await
    }

    /// The fault once, and the mount is none the worse for it; `requests` are what it took.
    pub(super) async fn recovers_from(&self, at: At, fault: Fault, requests: usize) {
        self.azure.journal().clear();
        let id = self.azure.faults().inject_times(1, at.route(), fault.clone());
        let mounted = self.mount().await.unwrap_or_else(|status| panic!("{at:?} {fault:?}: {status}"));
        assert_eq!(mounted.text("db-password"), "x");
        assert_eq!(self.azure.faults().hits(id), 1, "{at:?} {fault:?}");
        self.saw(at, requests..=requests, &format!("{at:?} {fault:?}, once"));
    }

    /// The fault for good: the mount fails with this code after so many requests, and names what it failed at. The next
    /// mount, without the fault, goes well.
    pub(super) async fn fails(&self, at: At, fault: Fault, code: Code, requests: Tries) -> Status {
        self.azure.journal().clear();
        let id = self.azure.faults().inject(at.route(), fault.clone());
        let Err(status) = self.mount().await else { panic!("{at:?} {fault:?}: mounted") };
        assert_eq!(status.code(), code, "{at:?} {fault:?}: {status}");
        for part in [at.host(), "secret/db-password"] {
            assert!(status.message().contains(part), "{at:?} {fault:?}: no {part} in {status}");
        }
        self.saw(at, requests, &format!("{at:?} {fault:?}, for good"));
        let Err(again) = self.mount().await else { panic!("{at:?} {fault:?}: mounted") };
        assert_eq!(again.message(), status.message(), "{at:?} {fault:?}: two tries of one failure");
        self.azure.faults().remove(id);
        self.mount().await.unwrap_or_else(|status| panic!("after {at:?} {fault:?}: {status}"));
        status
    }

    /// So many requests were made, and none long after the first.
    pub(super) fn saw(&self, at: At, requests: Tries, label: &str) {
        let seen = self.azure.journal().filter(&at.route());
        assert!(requests.contains(&seen.len()), "{label}: {:?}", self.azure.journal().lines());
        if let [first, .., last] = &seen[..] {
            assert!(last.at - first.at < WITHIN, "{label}: {:?}", last.at - first.at);
        }
    }
}

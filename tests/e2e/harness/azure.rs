//! The emulated Azure, and transports that lead to it.

use std::{
    io,
    net::SocketAddr,
    ops::Deref,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use akv_emulator::{Emulator, EmulatorBuilder, Keys, VaultSet};
use akv_provider::transport::{Resolve, Resolver, Timeouts, Transports};
use futures::future::BoxFuture;
use serde_json::json;

/// An Azure for one test, and the cluster's DNS.
pub(crate) struct Azure(Emulator, ClusterDns);

/// The cluster's DNS: every name of the cluster is the emulator, port included.
#[derive(Clone, Default)]
pub(crate) struct ClusterDns(Arc<ClusterDnsState>);

#[derive(Default)]
struct ClusterDnsState {
    lookups: AtomicUsize,
    down: AtomicBool,
    silent: AtomicBool,
}

impl ClusterDns {
    /// Returns the number of look-ups.
    pub(crate) fn lookups(&self) -> usize {
        self.0.lookups.load(Ordering::Relaxed)
    }

    /// Sets whether every name is unknown.
    pub(crate) fn set_down(&self, down: bool) {
        self.0.down.store(down, Ordering::Relaxed);
    }

    /// Sets whether look-ups get no answer.
    pub(crate) fn set_silent(&self, silent: bool) {
        self.0.silent.store(silent, Ordering::Relaxed);
    }
}

impl Azure {
    /// Starts an Azure with these vaults, in the structure of the conformance cases.
    pub(crate) async fn with_vaults(vaults: VaultSet) -> Self {
        Self::start(Emulator::builder().keys(shared_keys()).vaults(vaults)).await
    }

    /// Starts an Azure with an empty vault `lab`, and with IMDS and NMI at their real addresses. These exist in a
    /// namespace of [`super::in_network_namespace`].
    pub(crate) async fn around_a_node() -> Self {
        let imds = SocketAddr::from(([169, 254, 169, 254], 80));
        let nmi = SocketAddr::from(([127, 0, 0, 1], 2579));
        let builder = Emulator::builder().keys(shared_keys()).imds_on(imds).nmi_on(nmi);
        Self::start(builder.vaults(vaults(json!({ "lab": {} })))).await
    }

    /// Starts an Azure with its own certificate authority.
    pub(crate) async fn with_own_authority() -> Self {
        Self::start(Emulator::builder()).await
    }

    async fn start(builder: EmulatorBuilder) -> Self {
        Self(builder.start().await.expect("the emulator starts"), ClusterDns::default())
    }

    /// Starts an Azure with a vault `lab` that holds these secrets.
    pub(crate) async fn with_secrets(secrets: &[(&str, &str)]) -> Self {
        let azure = Self::with_vaults(vaults(json!({ "lab": {} }))).await;
        for (name, value) in secrets {
            azure.vaults().put_secret("lab", name, value);
        }
        azure
    }

    /// Starts an Azure with a vault `lab` that holds this many secrets, and returns their names, from `secret-0` on.
    pub(crate) async fn with_numbered_secrets(count: usize) -> (Self, Vec<String>) {
        let names: Vec<String> = (0..count).map(|index| format!("secret-{index}")).collect();
        let secrets: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
        (Self::with_secrets(&secrets).await, names)
    }

    pub(crate) fn cluster_dns(&self) -> &ClusterDns {
        &self.1
    }

    /// Returns the production transports, but with trust in the emulator, which has production's own names, and with
    /// the timeouts of [`short_backoffs`].
    pub(crate) fn transports(&self) -> Transports {
        self.transports_with(short_backoffs())
    }

    /// Returns the same transports with other timeouts.
    pub(crate) fn transports_with(&self, timeouts: Timeouts) -> Transports {
        let cluster = Resolver(Arc::new(AllNames(self.https_address(), self.1.clone())));
        test_support::transports(self, cluster, timeouts).expect("the CA is PEM")
    }
}

impl Deref for Azure {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.0
    }
}

/// Returns production's timeouts, but with retries that follow soon, to keep the tests fast.
pub(crate) fn short_backoffs() -> Timeouts {
    Timeouts { initial_backoff: Duration::from_millis(5), ..Timeouts::within(Duration::from_secs(90)) }
}

/// Keys take time to generate, and no test changes them.
fn shared_keys() -> Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate().expect("keys can be made")).clone()
}

/// Parses vaults in the structure of the conformance cases.
fn vaults(vaults: serde_json::Value) -> VaultSet {
    serde_json::from_value(vaults).expect("vaults are well formed")
}

/// A resolver that follows [`ClusterDns`].
struct AllNames(SocketAddr, ClusterDns);

impl Resolve for AllNames {
    fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let ClusterDnsState { lookups, down, silent } = &*self.1.0;
        lookups.fetch_add(1, Ordering::Relaxed);
        if silent.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        let down = down.load(Ordering::Relaxed);
        let answer = if down { Err(io::Error::other("no such name")) } else { Ok(vec![self.0]) };
        Box::pin(async { answer })
    }
}

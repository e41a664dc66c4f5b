//! One vault, asked as one identity.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, Context, Method, Pipeline, Request},
};

use crate::{
    cloud::VaultEndpoint,
    metrics::{Upstream, VaultCall},
    spec::excerpt::Excerpt,
    transport::{ClientFactory, ConnectPhase},
};

use super::{
    bundle::{Bundle, VersionProperties},
    cache::{Answer, CacheSettings, ReadCache, Reader},
    error::VaultError,
    host::{VaultHost, VaultHosts},
    lenient_json::LenientJsonPolicy,
    read::Read,
    sdk::Sdk,
};

/// Where clients come from: all of them over one transport.
#[derive(Clone)]
pub struct Vaults {
    pub(super) clients: ClientFactory,
    options: ClientOptions,
    pub(super) hosts: VaultHosts,
    sharing: Arc<ReadCache>,
}

impl Vaults {
    /// Vaults whose clients ask as `clients` says, and may be answered as `settings` allow.
    pub fn new(clients: &ClientFactory, settings: CacheSettings) -> Self {
        Self {
            options: clients.client_options(Upstream::KeyVault),
            hosts: VaultHosts::new(clients.metrics.clone(), clients.transports.timeouts),
            sharing: Arc::new(ReadCache::new(settings, clients.metrics.clone())),
            clients: clients.clone(),
        }
    }

    /// A client for the vault at `endpoint`, asking with `credential` for `reader`. Nothing is sent yet.
    ///
    /// # Errors
    /// Only where the SDK finds the URL unusable.
    pub fn connect(
        &self,
        endpoint: &VaultEndpoint,
        credential: Arc<dyn TokenCredential>,
        reader: Reader,
    ) -> Result<VaultClient, VaultError> {
        let host = self.hosts.of(endpoint);
        let metrics = self.clients.metrics.clone();
        let sdk = Sdk::connect(endpoint.url.as_str(), credential, self.options_at(&host), metrics)?;
        Ok(VaultClient {
            vault: host.name.clone(),
            reader,
            sdk: Arc::new(sdk),
            sharing: self.sharing.clone(),
            shared: AtomicBool::new(false),
        })
    }

    /// Prepares for so many reads from the vault at `endpoint`, while the token for them is still being fetched: opens
    /// connections, and asks for the challenge if it is not known. What the vault answers instead of a challenge goes to
    /// no read, and what fails is reported by the reads.
    pub async fn prewarm(&self, endpoint: &VaultEndpoint, reads: usize) {
        self.clients.prewarm(&endpoint.url, reads);
        let host = self.hosts.of(endpoint);
        let known = host.probe.is_known();
        let call = if known { VaultCall::Hit } else { VaultCall::Miss };
        self.clients.metrics.vault_call(&host.name, "challenge", call);
        if known {
            return;
        }
        let pipeline = Pipeline::new(
            Some(env!("CARGO_PKG_NAME")),
            Some(env!("CARGO_PKG_VERSION")),
            self.options_at(&host),
            Vec::new(),
            Vec::new(),
            None,
        );
        let mut anything = endpoint.url.clone();
        anything.set_path("/secrets");
        anything.set_query(Some(ANY_VERSION));
        let _ = pipeline.send(&Context::new(), &mut Request::new(anything, Method::Get), None).await;
    }

    /// Drops what nobody may be given any more.
    pub fn evict_expired(&self) {
        self.sharing.evict_expired();
    }

    /// How the vault at `endpoint` stands.
    pub fn status(&self, endpoint: &VaultEndpoint) -> HostStatus {
        let host = self.hosts.of(endpoint);
        let limiter = &host.limiter;
        HostStatus {
            connect_phase: self.clients.transports.azure_client.connect_phase(&endpoint.url),
            throttled: limiter.is_throttling(),
            last: limiter.last_status(),
            other_authority: host.probe.other_authority(),
        }
    }

    fn options_at(&self, host: &VaultHost) -> ClientOptions {
        let mut options = self.options.clone();
        options.per_try_policies.insert(0, Arc::new(LenientJsonPolicy));
        // Above what counts requests, since an answer from memory is none; and what waits at the limiter is not sent yet.
        options.per_try_policies.splice(1..1, host.policies());
        options
    }
}

impl std::fmt::Debug for Vaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vaults")
    }
}

/// What is known of a vault's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStatus {
    /// What connections to it wait for; `None` where there is one.
    pub connect_phase: Option<ConnectPhase>,
    /// Whether it has asked us to wait.
    pub throttled: bool,
    /// The status that it answered last.
    pub last: Option<u16>,
    /// The authority that its challenge names, where it is another than the cloud's.
    pub other_authority: Option<Excerpt>,
}

/// A version of Key Vault's API. It does not matter which: without a token the answer is always the challenge.
const ANY_VERSION: &str = "api-version=7.6";

/// A vault's three kinds of objects, read alike.
pub struct VaultClient {
    vault: Arc<str>,
    reader: Reader,
    sdk: Arc<Sdk>,
    sharing: Arc<ReadCache>,
    shared: AtomicBool,
}

impl VaultClient {
    /// Reads one version of an object. The error is what the vault answered instead, or why it did not.
    pub fn get(&self, read: &Read) -> Answer<Bundle> {
        self.note(self.sharing.answer(&self.vault, &self.reader, read, |ask| {
            let (sdk, read) = (self.sdk.clone(), read.clone());
            async move { sdk.measured(&read, sdk.get(&read, ask)).await }
        }))
    }

    /// Every version of an object, in the vault's order; empty where there is no such object. The error is what the
    /// vault answered instead, or why it did not.
    pub fn versions(&self, read: &Read) -> Answer<Vec<VersionProperties>> {
        self.note(self.sharing.answer(&self.vault, &self.reader, read, |ask| {
            let (sdk, read) = (self.sdk.clone(), read.clone());
            async move { sdk.measured(&read, sdk.versions(&read, ask)).await }
        }))
    }

    /// Whether any answer so far was asked for by another mount, and so with another token.
    pub fn shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    fn note<T>(&self, (answer, call): (Answer<T>, VaultCall)) -> Answer<T> {
        if call == VaultCall::Shared {
            self.shared.store(true, Ordering::Relaxed);
        }
        answer
    }
}

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
    transport::Outgoing,
};

use super::{
    bundle::{Bundle, VersionProperties},
    error::VaultError,
    freshness::CacheSettings,
    host::{VaultHost, VaultHosts},
    lenient_json::LenientJsonPolicy,
    read::Read,
    sdk::Sdk,
    sharing::{Answer, Reader, Sharing},
};

/// Where clients come from: all of them over one transport.
#[derive(Clone)]
pub struct Vaults {
    pub(super) outgoing: Outgoing,
    options: ClientOptions,
    pub(super) hosts: VaultHosts,
    sharing: Arc<Sharing>,
}

impl Vaults {
    /// Vaults whose clients ask as `outgoing` says, and may be answered as `settings` allow.
    pub fn new(outgoing: &Outgoing, settings: CacheSettings) -> Self {
        Self {
            options: outgoing.client_options(Upstream::KeyVault),
            hosts: VaultHosts::new(outgoing.metrics.clone(), outgoing.transports.patience),
            sharing: Arc::new(Sharing::new(settings, outgoing.metrics.clone())),
            outgoing: outgoing.clone(),
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
        let metrics = self.outgoing.metrics.clone();
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
    pub async fn warm(&self, endpoint: &VaultEndpoint, reads: usize) {
        self.outgoing.warm(&endpoint.url, reads);
        let host = self.hosts.of(endpoint);
        let known = host.probe.is_known();
        let call = if known { VaultCall::Remembered } else { VaultCall::Made };
        self.outgoing.metrics.vault_call(&host.name, "challenge", call);
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
    pub fn tidy(&self) {
        self.sharing.tidy();
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

/// A version of Key Vault's API. It does not matter which: without a token the answer is always the challenge.
const ANY_VERSION: &str = "api-version=7.6";

/// A vault's three kinds of objects, read alike.
pub struct VaultClient {
    vault: Arc<str>,
    reader: Reader,
    sdk: Arc<Sdk>,
    sharing: Arc<Sharing>,
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
        if call == VaultCall::Joined {
            self.shared.store(true, Ordering::Relaxed);
        }
        answer
    }
}

//! Clients of one vault with one identity.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, Context, Method, Pipeline, Request},
};

use crate::{
    cloud::VaultEndpoint,
    metrics::{Upstream, VaultCall},
    permits_by_name::PermitsByName,
    spec::{excerpt::Excerpt, identity::TenantId},
    transport::{ClientFactory, ConnectPhase, MountGuard},
};

use super::{
    auth::{NamedAuthority, TenantError},
    authenticated::AuthenticatedVaults,
    bundle::{Bundle, VersionProperties},
    cache::{Answer, CacheReader, CacheSettings, ReadCache, Reader, Requests, Round},
    error::VaultError,
    host::{VaultHost, VaultHosts},
    lenient_json::LenientJsonPolicy,
    list::{List, ObjectList},
    read::Read,
    request_sender::RequestSender,
    sdk::{API_VERSION, Sdk},
};

/// The most lists of more than one page that are read at once, over all vaults. The longest one takes 4 MiB. A waiting
/// list holds its first page, which has 25 entries at Key Vault.
const MAX_LONG_LISTS: usize = 8;

/// The most of them that are read from one vault.
const MAX_LONG_LISTS_OF_VAULT: usize = MAX_LONG_LISTS / 2;

/// A factory of vault clients that share one transport.
#[derive(Clone)]
pub struct Vaults {
    pub(super) clients: ClientFactory,
    options: ClientOptions,
    pub(super) hosts: VaultHosts,
    long_lists: PermitsByName,
    sharing: Arc<ReadCache>,
    authenticated: AuthenticatedVaults,
}

impl Vaults {
    /// Creates a factory whose clients send requests as `clients` configures, and cache answers as `settings` allow.
    pub fn new(clients: &ClientFactory, settings: CacheSettings) -> Self {
        Self {
            options: clients.client_options(Upstream::KeyVault),
            hosts: VaultHosts::new(clients.metrics.clone(), clients.transports.timeouts),
            long_lists: PermitsByName::new(MAX_LONG_LISTS, MAX_LONG_LISTS_OF_VAULT),
            sharing: Arc::new(ReadCache::new(settings, clients.metrics.clone())),
            authenticated: AuthenticatedVaults::new(clients.metrics.clone()),
            clients: clients.clone(),
        }
    }

    /// Returns a client of the vault at `endpoint` that authenticates with `credential` on behalf of `reader`. Sends
    /// nothing yet.
    ///
    /// # Errors
    /// The SDK rejects the URL.
    pub fn connect(
        &self,
        endpoint: &VaultEndpoint,
        credential: Arc<dyn TokenCredential>,
        reader: Reader,
    ) -> Result<VaultClient, VaultError> {
        let host = self.hosts.of(endpoint);
        let metrics = self.clients.metrics.clone();
        let (options, long_lists) = (self.options_at(&host), self.long_lists.of(&host.name));
        let sdk = Sdk::connect(endpoint.url.as_str(), credential, options, long_lists, metrics)?;
        let from = CacheReader { cache: self.sharing.clone(), vault: host.name.clone(), reader };
        Ok(VaultClient {
            requests: RequestSender::new(from, sdk, host.limiter.clone(), self.authenticated.clone()),
            round: Mutex::default(),
            list_wait: self.clients.transports.timeouts.list_wait,
        })
    }

    /// Opens connections for a number of reads from the vault at `endpoint`, while their token is still being requested.
    /// Mounts with the same `sharers` share their reads. The reads report failures.
    pub(crate) fn prewarm(
        &self,
        endpoint: &VaultEndpoint,
        sharers: &Arc<str>,
        reads: usize,
    ) -> Option<MountGuard> {
        let standing = self.authenticated.standing(endpoint.name());
        self.clients.prewarm(&endpoint.url, standing, sharers, reads)
    }

    /// Requests the challenge of the vault at `endpoint` if it is not known. If the vault answers with something other
    /// than a challenge, no read gets that answer. The reads report failures.
    pub async fn probe(&self, endpoint: &VaultEndpoint) {
        let host = self.hosts.of(endpoint);
        let known = host.probe.is_known();
        let call = if known { VaultCall::Hit } else { VaultCall::Miss };
        self.clients.metrics.vault_call(&host.name, "challenge", call);
        if !known {
            // The reads report a failure.
            let _ = self.request_challenge(endpoint, &host).await;
        }
    }

    /// Returns the tenant that the challenge of the vault at `endpoint` names, and requests the challenge if it is not
    /// known. Sends no token.
    ///
    /// # Errors
    /// The vault does not answer with a challenge, or the challenge does not name a tenant of the cloud's authority.
    pub async fn tenant(&self, endpoint: &VaultEndpoint) -> Result<TenantId, TenantError> {
        let host = self.hosts.of(endpoint);
        let probed = match host.probe.authority() {
            Some(_) => Ok(()),
            None => self.request_challenge(endpoint, &host).await,
        };
        match host.probe.authority() {
            Some(NamedAuthority::Own(tenant)) => Ok(tenant),
            Some(NamedAuthority::NoTenant) => Err(TenantError::NotNamed),
            Some(NamedAuthority::Other(named)) => Err(TenantError::OtherAuthority(named)),
            None => Err(match probed {
                Ok(()) => TenantError::NoChallenge,
                Err(error) => match VaultError::from(error) {
                    // Of an anonymous request, which another service could answer so.
                    VaultError::Unauthorized(_) | VaultError::Forbidden(_) | VaultError::NotFound(_) => {
                        TenantError::NoChallenge
                    }
                    error => TenantError::Vault(error),
                },
            }),
        }
    }

    /// Sends a request without a token, unless the answer to one is known. The policies below keep the challenge.
    async fn request_challenge(&self, endpoint: &VaultEndpoint, host: &VaultHost) -> azure_core::Result<()> {
        let pipeline = Pipeline::new(
            Some(env!("CARGO_PKG_NAME")),
            Some(env!("CARGO_PKG_VERSION")),
            self.options_at(host),
            Vec::new(),
            Vec::new(),
            None,
        );
        let mut url = endpoint.url.clone();
        url.set_path("/secrets");
        url.set_query(Some(&format!("api-version={API_VERSION}")));
        pipeline.send(&Context::new(), &mut Request::new(url, Method::Get), None).await.map(drop)
    }

    /// Returns the set of the vaults that accepted a token.
    pub fn authenticated(&self) -> &AuthenticatedVaults {
        &self.authenticated
    }

    /// Drops cached answers that no mount may get any more.
    pub fn evict_expired(&self) {
        self.sharing.evict_expired();
    }

    /// Returns the status of the vault at `endpoint`.
    pub fn status(&self, endpoint: &VaultEndpoint) -> HostStatus {
        let host = self.hosts.of(endpoint);
        let limiter = &host.limiter;
        HostStatus {
            connect_phase: self.clients.transports.azure_client.connect_phase(&endpoint.url),
            throttled: limiter.is_throttling(),
            last: limiter.last_status(),
            silent_for: limiter.silent_for(),
            lists_wait: self.long_lists.of(&host.name).wait_for_others(),
            other_authority: match host.probe.authority() {
                Some(NamedAuthority::Other(named)) => Some(named),
                Some(NamedAuthority::Own(_) | NamedAuthority::NoTenant) | None => None,
            },
        }
    }

    fn options_at(&self, host: &VaultHost) -> ClientOptions {
        let mut options = self.options.clone();
        options.per_try_policies.insert(0, Arc::new(LenientJsonPolicy));
        // Above the policy that counts requests: cached answers are not requests, and a request in the limiter's
        // queue is not sent yet.
        options.per_try_policies.splice(1..1, host.policies());
        options
    }
}

impl std::fmt::Debug for Vaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vaults")
    }
}

/// The status of a vault's host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStatus {
    /// The phase that connections to the host wait in; `None` if one is established.
    pub connect_phase: Option<ConnectPhase>,
    /// True if the host has sent a 429 whose wait is not over.
    pub throttled: bool,
    /// The HTTP status of its last answer.
    pub last: Option<u16>,
    /// How long it has owed an answer to requests of any mount; `None` if it owes none.
    pub silent_for: Option<Duration>,
    /// True if lists wait until those of other vaults have ended.
    pub lists_wait: bool,
    /// The authority that its challenge names, if it is not the cloud's.
    pub other_authority: Option<Excerpt>,
}

/// A client that reads a vault's three kinds of objects in one way.
pub struct VaultClient {
    requests: RequestSender,
    /// The values that stand, by the lists of this mount.
    round: Mutex<Arc<Round>>,
    /// The longest wait for a list of a round.
    list_wait: Duration,
}

impl VaultClient {
    /// Finds out by lists which of these objects are unchanged since their last read, where that takes fewer requests
    /// than reads. From then on [`Self::get`] answers with the kept values of these objects, and of no others.
    ///
    /// Does nothing for initial mounts, or if each republish reads ([`RepublishCheck::Get`](super::RepublishCheck)).
    pub async fn revalidate(&self, reads: &[Read]) {
        let RequestSender { from, .. } = &self.requests;
        let round = Round::begin(from, reads, self.list_wait, &self.requests).await;
        *self.round.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(round);
    }

    /// Reads one version of an object.
    pub fn get(&self, read: &Read) -> Answer<Bundle> {
        let round = self.round.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let unchanged = round.answer(&self.requests.from, read, &self.requests);
        unchanged.unwrap_or_else(|| self.requests.get(read))
    }

    /// Lists every version of an object, in the vault's order; empty if there is no such object.
    pub fn versions(&self, read: &Read) -> Answer<Vec<VersionProperties>> {
        self.requests.versions(read)
    }

    /// Lists the vault's objects of one type. The identity needs the permission to list.
    pub fn list(&self, list: List) -> Answer<ObjectList> {
        self.requests.list(list)
    }

    /// Returns whether another mount sent any of the reads so far, and so with another token.
    pub fn shared(&self) -> bool {
        self.requests.shared()
    }
}

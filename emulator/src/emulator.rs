//! A running emulator and its handles.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use tokio::task::AbortHandle;

use crate::{
    access_token::{AccessTokens, Grant},
    azure::Azure,
    builder::{EmulatorBuilder, StartError},
    clock::Clock,
    cloud::ISSUER,
    directory::{DirectoryHandle, Identity},
    faults::Faults,
    ids::RequestIds,
    journal::Journal,
    keys::Keys,
    latency::Latency,
    listen::{Bound, Https, Opening, Pages, Plain, Proxy},
    rate::RateLimits,
    service_account::{FormerKeys, Issuer, Validity},
    timer::Alarms,
    tls::server_config,
    vault::{VaultStore, Vaults},
};

/// Azure on loopback. Dropping it closes its listeners and connections.
#[derive(Debug)]
pub struct Emulator {
    azure: Arc<Azure>,
    vaults: Vaults,
    pub(crate) ca_pem: String,
    pub(crate) api_server_id: String,
    pub(crate) https: SocketAddr,
    pub(crate) proxy: SocketAddr,
    pub(crate) imds: SocketAddr,
    pub(crate) nmi: SocketAddr,
    tasks: Vec<AbortHandle>,
}

impl Emulator {
    /// Returns a builder with default settings.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    pub(crate) async fn start_with(builder: EmulatorBuilder) -> Result<Self, StartError> {
        let keys = match builder.keys {
            Some(keys) => keys,
            None => Keys::generate()?,
        };
        let https = bind("HTTPS", builder.https).await?;
        let proxy = bind("the proxy", builder.proxy).await?;
        let imds = bind("IMDS", builder.imds).await?;
        let nmi = bind("NMI", builder.nmi).await?;

        let store = Arc::new(VaultStore::default());
        store.replace(builder.vaults);
        let clock = builder.clock;
        let vaults = Vaults::new(Arc::clone(&store), clock.clone());
        let azure = Arc::new(Azure {
            directory: DirectoryHandle::new(builder.directory),
            store,
            tokens: AccessTokens::new(keys.entra),
            issuer: Issuer::new(keys.issuer, clock.clone()),
            trusted_issuers: builder.trusted_issuers.into(),
            clock,
            limits: RateLimits::default(),
            faults: Faults::default(),
            latency: Latency::default(),
            alarms: Alarms::new().map_err(StartError::Timer)?,
            journal: Journal::new(),
            ids: RequestIds::new(),
            connections: AtomicU64::new(0),
        });
        let config = server_config(&keys.authority, &builder.api_server_id)?;
        let mut emulator = Self {
            vaults,
            ca_pem: keys.authority.pem().to_owned(),
            api_server_id: builder.api_server_id,
            https: https.address,
            proxy: proxy.address,
            imds: imds.address,
            nmi: nmi.address,
            tasks: Vec::new(),
            azure: Arc::clone(&azure),
        };
        let server = Https::new(Arc::clone(&azure), config);
        let pages = Pages { ca_pem: emulator.ca_pem.clone(), cloud_file: emulator.cloud_file_json() };
        let tunnels = Proxy { https: server.clone(), pages: Arc::new(pages) };
        emulator.tasks = vec![
            tokio::spawn(azure.alarms.clone().ring()).abort_handle(),
            https.serve(move |tcp| server.clone().serve(tcp, Opening::Ahead)),
            proxy.serve(move |tcp| tunnels.clone().serve(tcp)),
            imds.serve({
                let imds = Plain::Imds(Arc::clone(&azure));
                move |tcp| imds.clone().serve(tcp)
            }),
            nmi.serve({
                let nmi = Plain::Nmi(azure);
                move |tcp| nmi.clone().serve(tcp)
            }),
        ];
        Ok(emulator)
    }

    /// Returns the record of all requests.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.azure.journal
    }

    /// Returns the handle for injected faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.azure.faults
    }

    /// Returns the handle for delays.
    #[must_use]
    pub fn latency(&self) -> &Latency {
        &self.azure.latency
    }

    /// Returns the handle for the vaults' service limits.
    #[must_use]
    pub fn limits(&self) -> &RateLimits {
        &self.azure.limits
    }

    /// Returns the clock that decides about tokens.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.azure.clock
    }

    /// Returns the handle for the vaults' objects.
    #[must_use]
    pub fn vaults(&self) -> &Vaults {
        &self.vaults
    }

    /// Returns the handle for identities and roles.
    #[must_use]
    pub fn directory(&self) -> &DirectoryHandle {
        &self.azure.directory
    }

    /// Returns `iss` of the cluster's service-account tokens.
    #[must_use]
    pub fn service_account_issuer(&self) -> &'static str {
        ISSUER
    }

    /// Returns the key set that the issuer publishes.
    #[must_use]
    pub fn service_account_key_set(&self) -> serde_json::Value {
        self.azure.issuer.key_set()
    }

    /// Makes the issuer sign with a new key.
    pub fn rotate_service_account_key(&self, former: FormerKeys) {
        self.azure.issuer.rotate(former);
    }

    /// Returns a token with these claims, which the issuer's newest key signed.
    #[must_use]
    pub fn service_account_token_with_claims(&self, claims: &serde_json::Value) -> String {
        self.azure.issuer.sign(claims)
    }

    /// Returns a service-account token for one audience.
    #[must_use]
    pub fn service_account_token(
        &self,
        namespace: &str,
        name: &str,
        audience: &str,
        lifetime: Duration,
    ) -> String {
        self.azure.issuer.token(namespace, name, audience, Validity::For(lifetime))
    }

    /// Returns `csi.storage.k8s.io/serviceAccount.tokens` as the driver passes it. The JSON holds a token for each of
    /// five audiences, valid for an hour, `api://AzureADTokenExchange` and `api://AKSIdentityBinding` among them.
    #[must_use]
    pub fn service_account_tokens(&self, namespace: &str, name: &str) -> String {
        self.azure.issuer.tokens(namespace, name, Validity::For(Duration::from_secs(3600)))
    }

    /// Returns the same tokens, expired for ten minutes.
    #[must_use]
    pub fn expired_service_account_tokens(&self, namespace: &str, name: &str) -> String {
        self.azure.issuer.tokens(namespace, name, Validity::ExpiredFor(Duration::from_secs(600)))
    }

    /// Returns an access token as Entra would issue it to this client id, known or not, in the home tenant.
    #[must_use]
    pub fn access_token(&self, client_id: &str, resource: &str, lifetime: Duration) -> String {
        let directory = self.azure.directory.snapshot();
        self.azure.tokens.issue(&Grant {
            tenant: directory.home_tenant(),
            identity: &Identity::new(client_id),
            resource,
            managed: false,
            now: self.azure.clock.unix(),
            lifetime: i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 4),
        })
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn bind(listener: &'static str, address: SocketAddr) -> Result<Bound, StartError> {
    Bound::bind(address).await.map_err(|source| StartError::Listen { listener, address, source })
}

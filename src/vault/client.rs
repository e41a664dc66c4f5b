//! One vault, asked as one identity.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientMethodOptions, ClientOptions, Context, Method, Pipeline, Request},
    time::OffsetDateTime,
};
use azure_security_keyvault_certificates::{
    CertificateClient, CertificateClientOptions,
    models::{
        CertificateClientGetCertificateOptions, CertificateClientListCertificatePropertiesVersionsOptions,
    },
};
use azure_security_keyvault_keys::{
    KeyClient, KeyClientOptions,
    models::{KeyClientGetKeyOptions, KeyClientListKeyPropertiesVersionsOptions},
};
use azure_security_keyvault_secrets::{
    SecretClient, SecretClientOptions,
    models::{SecretClientGetSecretOptions, SecretClientListSecretPropertiesVersionsOptions},
};
use futures::StreamExt;
use tracing::Instrument;

use crate::{
    cloud::VaultEndpoint,
    metrics::{Metrics, Upstream, VaultCall},
    spec::object::ObjectType,
    transport::Outgoing,
};

use super::{
    bundle::{Bundle, VersionProperties, version},
    error::VaultError,
    freshness::CacheSettings,
    gate::Ask,
    host::{VaultHost, VaultHosts},
    read::Read,
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
        let client_options = self.options_at(&host);
        let url = endpoint.url.as_str();
        // All that the SDK reads of a challenge is what our cloud says, which may be at another host than its vaults.
        let verify_challenge_resource = Some(false);
        let sdk = Sdk {
            metrics: self.outgoing.metrics.clone(),
            secrets: SecretClient::new(
                url,
                credential.clone(),
                Some(SecretClientOptions {
                    client_options: client_options.clone(),
                    verify_challenge_resource,
                    ..Default::default()
                }),
            )?,
            keys: KeyClient::new(
                url,
                credential.clone(),
                Some(KeyClientOptions {
                    client_options: client_options.clone(),
                    verify_challenge_resource,
                    ..Default::default()
                }),
            )?,
            certificates: CertificateClient::new(
                url,
                credential,
                Some(CertificateClientOptions {
                    client_options,
                    verify_challenge_resource,
                    ..Default::default()
                }),
            )?,
        };
        Ok(VaultClient {
            vault: host.name.clone(),
            reader,
            sdk: Arc::new(sdk),
            sharing: self.sharing.clone(),
            shared: AtomicBool::new(false),
        })
    }

    /// Prepares for so many reads from the vault at `endpoint`, while the token for them is still being fetched: opens
    /// connections, and asks for the challenge if it is not known. What goes wrong is told by the reads.
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
        // Above what counts requests, since an answer from memory is none; and what waits at the gate is not sent yet.
        options.per_try_policies.splice(0..0, host.policies());
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

/// The most versions of an object that are listed: one an hour for two years. Key Vault has no limit of its own, and backs
/// up no object of more than 500. They take two MiB.
pub(super) const MOST_VERSIONS: usize = 20_000;

/// The most pages of a list. Key Vault has 25 versions on a full one.
pub(super) const MOST_PAGES: usize = 800;

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

/// The SDK's clients.
struct Sdk {
    metrics: Metrics,
    secrets: SecretClient,
    keys: KeyClient,
    certificates: CertificateClient,
}

impl Sdk {
    async fn measured<T>(
        &self,
        read: &Read,
        answer: impl Future<Output = Result<T, VaultError>>,
    ) -> Result<T, VaultError> {
        let begin = Instant::now();
        let result = answer.instrument(tracing::debug_span!("read", object = %read)).await;
        let error = result.as_ref().err().map(VaultError::label);
        self.metrics.read(read.object_type, read.name.as_str(), error, begin.elapsed());
        result
    }

    async fn get(&self, read: &Read, ask: Arc<Ask>) -> Result<Bundle, VaultError> {
        let name = read.name.as_str();
        let version = read.version.as_ref().map(|version| version.as_str().to_owned());
        let method_options = asking(ask);
        match read.object_type {
            ObjectType::Secret => {
                let options = SecretClientGetSecretOptions {
                    secret_version: version,
                    method_options,
                    ..Default::default()
                };
                let secret = self.secrets.get_secret(name, Some(options)).await?.into_model()?;
                secret.try_into().map(Bundle::Secret)
            }
            ObjectType::Key => {
                let options = KeyClientGetKeyOptions { key_version: version, method_options };
                let key = self.keys.get_key(name, Some(options)).await?.into_model()?;
                key.try_into().map(Bundle::Key)
            }
            ObjectType::Certificate => {
                let options =
                    CertificateClientGetCertificateOptions { certificate_version: version, method_options };
                let certificate =
                    self.certificates.get_certificate(name, Some(options)).await?.into_model()?;
                certificate.try_into().map(Bundle::Certificate)
            }
        }
    }

    async fn versions(&self, read: &Read, ask: Arc<Ask>) -> Result<Vec<VersionProperties>, VaultError> {
        // The models of the three crates are alike, but no trait says so.
        macro_rules! list {
            ($pager:expr, $id:ident) => {{
                let (mut pages, mut versions) = ($pager.into_pages().enumerate(), Vec::new());
                while let Some((before, page)) = pages.next().await {
                    let page = page?.into_model()?;
                    if before == MOST_PAGES || versions.len() + page.value.len() > MOST_VERSIONS {
                        return Err(VaultError::Endless);
                    }
                    // Compat: an entry without attributes is passed over.
                    for item in page.value {
                        let Some(attributes) = item.attributes else { continue };
                        versions.push(VersionProperties {
                            version: version(item.$id)?,
                            enabled: attributes.enabled.unwrap_or(true),
                            created: attributes.created.unwrap_or(OffsetDateTime::UNIX_EPOCH),
                        });
                    }
                }
                Ok(versions)
            }};
        }
        let name = read.name.as_str();
        let method_options =
            azure_core::http::pager::PagerOptions { context: asking(ask).context, ..Default::default() };
        match read.object_type {
            ObjectType::Secret => {
                let options =
                    SecretClientListSecretPropertiesVersionsOptions { method_options, ..Default::default() };
                list!(self.secrets.list_secret_properties_versions(name, Some(options))?, id)
            }
            ObjectType::Key => {
                let options =
                    KeyClientListKeyPropertiesVersionsOptions { method_options, ..Default::default() };
                list!(self.keys.list_key_properties_versions(name, Some(options))?, kid)
            }
            ObjectType::Certificate => {
                let options = CertificateClientListCertificatePropertiesVersionsOptions {
                    method_options,
                    ..Default::default()
                };
                list!(self.certificates.list_certificate_properties_versions(name, Some(options))?, id)
            }
        }
    }
}

/// Tells the gate who asks.
fn asking(ask: Arc<Ask>) -> ClientMethodOptions<'static> {
    let mut context = Context::new();
    context.insert(ask);
    ClientMethodOptions { context }
}

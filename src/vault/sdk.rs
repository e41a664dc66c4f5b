//! One interface to the SDK's three clients. SDK models do not leave this module.

use std::{collections::HashSet, sync::Arc, time::Instant};

use azure_core::{
    credentials::TokenCredential,
    http::{
        ClientMethodOptions, ClientOptions, Context,
        headers::{HeaderName, Headers},
        pager::PagerOptions,
    },
    time::{OffsetDateTime, parse_rfc7231},
};
use azure_security_keyvault_certificates::{
    CertificateClient, CertificateClientOptions,
    models::{
        CertificateClientGetCertificateOptions, CertificateClientListCertificatePropertiesOptions,
        CertificateClientListCertificatePropertiesVersionsOptions,
    },
};
use azure_security_keyvault_keys::{
    KeyClient, KeyClientOptions,
    models::{
        KeyClientGetKeyOptions, KeyClientListKeyPropertiesOptions, KeyClientListKeyPropertiesVersionsOptions,
    },
};
use azure_security_keyvault_secrets::{
    SecretClient, SecretClientOptions,
    models::{
        SecretClientGetSecretOptions, SecretClientListSecretPropertiesOptions,
        SecretClientListSecretPropertiesVersionsOptions,
    },
};
use futures::StreamExt;
use tracing::Instrument;

use crate::{
    metrics::Metrics,
    permits_by_name::{Permit, PermitsOfName},
    spec::object::{ObjectName, ObjectType},
    transport::header,
};

use super::{
    bundle::{Bundle, CertificateBundle, KeyBundle, SecretBundle, VersionProperties},
    error::VaultError,
    identifier::{self, Identifier},
    limiter::AdmittedRequest,
    list::{Extent, List, Listing, ObjectList},
    properties::Properties,
    read::Read,
    request::Request,
};

/// The version of Key Vault's API in each request.
///
/// Compat: provider-azure sends this version, and a custom cloud, a gateway or an emulator may not know a newer one. It
/// has all operations that are used: reads of objects, and lists of objects and of versions.
pub(super) const API_VERSION: &str = "7.4";

/// The most versions of an object that are listed: one an hour for two years. They take three MiB. Key Vault has no
/// limit of its own; it backs up no object of more than 500 versions.
const MAX_VERSIONS: usize = 20_000;

/// The most pages of a list. A full page of Key Vault has 25 versions.
const MAX_PAGES: usize = 800;

/// What a listed version takes while its list is read, in bytes.
const VERSION_BYTES: usize = 250;

/// The most memory of a list of versions that waits for a permit with its first page, in bytes: a full page of Key Vault
/// with its link. A vault may send a thousand times as much, and a mount has 64 of these lists.
const MAX_WAITING_VERSIONS_BYTES: usize = 8 << 10;

/// The same for a list of objects: a full page of Key Vault with a few tags on each object. A mount has at most 24 of
/// these lists.
const MAX_WAITING_OBJECTS_BYTES: usize = 64 << 10;

/// The SDK's three clients for one vault.
pub(super) struct Sdk {
    metrics: Metrics,
    long_lists: PermitsOfName,
    secrets: SecretClient,
    keys: KeyClient,
    certificates: CertificateClient,
}

impl Sdk {
    /// Creates the clients for the vault at `url`.
    ///
    /// # Errors
    /// The SDK rejects the URL.
    pub(super) fn connect(
        url: &str,
        credential: Arc<dyn TokenCredential>,
        client_options: ClientOptions,
        long_lists: PermitsOfName,
        metrics: Metrics,
    ) -> Result<Self, VaultError> {
        // The challenge that reaches the SDK is the cloud's own, and its audience may be at another host than the
        // cloud's vaults.
        let verify_challenge_resource = Some(false);
        let api_version = API_VERSION.to_owned();
        Ok(Self {
            metrics,
            long_lists,
            secrets: SecretClient::new(
                url,
                credential.clone(),
                Some(SecretClientOptions {
                    api_version: api_version.clone(),
                    client_options: client_options.clone(),
                    verify_challenge_resource,
                }),
            )?,
            keys: KeyClient::new(
                url,
                credential.clone(),
                Some(KeyClientOptions {
                    api_version: api_version.clone(),
                    client_options: client_options.clone(),
                    verify_challenge_resource,
                }),
            )?,
            certificates: CertificateClient::new(
                url,
                credential,
                Some(CertificateClientOptions { api_version, client_options, verify_challenge_resource }),
            )?,
        })
    }

    pub(super) async fn measured<T>(
        &self,
        request: &Request,
        answer: impl Future<Output = Result<T, VaultError>>,
    ) -> Result<T, VaultError> {
        let begin = Instant::now();
        let result = answer.instrument(tracing::debug_span!("read", object = %request)).await;
        let error = result.as_ref().err().map(VaultError::label);
        let name = request.name().map(ObjectName::as_str).unwrap_or_default();
        self.metrics.read(request.object_type(), name, error, begin.elapsed());
        result
    }

    pub(super) async fn get(&self, read: &Read, ask: Arc<AdmittedRequest>) -> Result<Bundle, VaultError> {
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
                let response = self.secrets.get_secret(name, Some(options)).await?;
                let answered = date(response.headers());
                let bundle = SecretBundle::answering(read, response.into_model()?)?;
                Ok(Bundle::Secret(bundle).with_answered(answered))
            }
            ObjectType::Key => {
                let options = KeyClientGetKeyOptions { key_version: version, method_options };
                let response = self.keys.get_key(name, Some(options)).await?;
                let answered = date(response.headers());
                let bundle = KeyBundle::answering(read, response.into_model()?)?;
                Ok(Bundle::Key(bundle).with_answered(answered))
            }
            ObjectType::Certificate => {
                let options =
                    CertificateClientGetCertificateOptions { certificate_version: version, method_options };
                let response = self.certificates.get_certificate(name, Some(options)).await?;
                let answered = date(response.headers());
                let bundle = CertificateBundle::answering(read, response.into_model()?)?;
                Ok(Bundle::Certificate(bundle).with_answered(answered))
            }
        }
    }

    pub(super) async fn versions(
        &self,
        read: &Read,
        ask: Arc<AdmittedRequest>,
    ) -> Result<Vec<VersionProperties>, VaultError> {
        // The models of the three crates are alike, but no trait says so.
        macro_rules! list {
            ($pager:expr, $id:ident) => {{
                let mut permit = None;
                'list: loop {
                    let (mut pages, mut versions) = ($pager.into_pages().enumerate(), Vec::new());
                    let mut listed = HashSet::new();
                    while let Some((before, page)) = pages.next().await {
                        let page = page?.into_model()?;
                        if before == MAX_PAGES || versions.len() + page.value.len() > MAX_VERSIONS {
                            return Err(VaultError::Endless { versions: MAX_VERSIONS, pages: MAX_PAGES });
                        }
                        // Compat: an entry without attributes is skipped.
                        for item in page.value {
                            let Some(attributes) = item.attributes else { continue };
                            let Identifier { version, .. } = identifier::accept(read, item.$id)?;
                            // The page belongs to another request, or the same page came again.
                            if !listed.insert(version.clone()) {
                                return Err(VaultError::RepeatedVersion(version));
                            }
                            versions.push(VersionProperties {
                                version,
                                enabled: attributes.enabled.unwrap_or(true),
                                created: attributes.created.unwrap_or(OffsetDateTime::UNIX_EPOCH),
                                not_before: attributes.not_before,
                                expires: attributes.expires,
                            });
                        }
                        if permit.is_none() && has_next(page.next_link.as_deref()) {
                            let held = versions.len() * VERSION_BYTES + link_bytes(page.next_link.as_deref());
                            permit = self.permit_beside(held, MAX_WAITING_VERSIONS_BYTES).await;
                            if permit.is_none() {
                                drop((pages, versions, listed, page.next_link));
                                permit = Some(self.long_lists.acquire().await);
                                continue 'list;
                            }
                        }
                    }
                    break 'list Ok(versions);
                }
            }};
        }
        let name = read.name.as_str();
        match read.object_type {
            ObjectType::Secret => {
                let options = || SecretClientListSecretPropertiesVersionsOptions {
                    method_options: paging(&ask),
                    ..Default::default()
                };
                list!(self.secrets.list_secret_properties_versions(name, Some(options()))?, id)
            }
            ObjectType::Key => {
                let options = || KeyClientListKeyPropertiesVersionsOptions {
                    method_options: paging(&ask),
                    ..Default::default()
                };
                list!(self.keys.list_key_properties_versions(name, Some(options()))?, kid)
            }
            ObjectType::Certificate => {
                let options = || CertificateClientListCertificatePropertiesVersionsOptions {
                    method_options: paging(&ask),
                    ..Default::default()
                };
                list!(self.certificates.list_certificate_properties_versions(name, Some(options()))?, id)
            }
        }
    }

    /// Lists the objects of one type, a page of at most 25 at a time.
    pub(super) async fn objects(
        &self,
        list: &List,
        ask: Arc<AdmittedRequest>,
    ) -> Result<ObjectList, VaultError> {
        let begin = tokio::time::Instant::now();
        let asked = || ask.queued().sent_at().unwrap_or(begin);
        // The models of the three crates are alike, but no trait says so.
        macro_rules! list {
            ($pager:expr, $id:ident, |$item:ident, $properties:ident| $more:expr) => {{
                let mut permit = None;
                'list: loop {
                    let (mut pages, mut listing) = ($pager.into_pages(), Listing::new(*list));
                    while let Some(page) = pages.next().await {
                        let page = page?.into_model()?;
                        for mut $item in page.value {
                            let id = $item.$id.take();
                            listing.add(id, |id| {
                                let $properties = Properties::new(id, $item.attributes, $item.tags);
                                $more
                            })?;
                        }
                        if let Some(extent) = listing.end_page(page.next_link.as_deref()) {
                            return Ok(listing.into_list(extent, asked()));
                        }
                        if permit.is_none() {
                            let held = listing.bytes() + link_bytes(page.next_link.as_deref());
                            permit = self.permit_beside(held, MAX_WAITING_OBJECTS_BYTES).await;
                            if permit.is_none() {
                                drop((pages, listing, page.next_link));
                                permit = Some(self.long_lists.acquire().await);
                                continue 'list;
                            }
                        }
                    }
                    break 'list Ok(listing.into_list(Extent::Whole, asked()));
                }
            }};
        }
        match list.object_type {
            ObjectType::Secret => {
                let options = || SecretClientListSecretPropertiesOptions {
                    method_options: paging(&ask),
                    ..Default::default()
                };
                list!(self.secrets.list_secret_properties(Some(options()))?, id, |secret, properties| {
                    properties.with_content_type(secret.content_type.as_deref()).with_managed(secret.managed)
                })
            }
            ObjectType::Key => {
                let options = || KeyClientListKeyPropertiesOptions {
                    method_options: paging(&ask),
                    ..Default::default()
                };
                list!(self.keys.list_key_properties(Some(options()))?, kid, |key, properties| {
                    properties.with_managed(key.managed)
                })
            }
            ObjectType::Certificate => {
                let options = || CertificateClientListCertificatePropertiesOptions {
                    method_options: paging(&ask),
                    ..Default::default()
                };
                list!(
                    self.certificates.list_certificate_properties(Some(options()))?,
                    id,
                    |certificate, properties| properties
                )
            }
        }
    }

    /// Returns a permit for a list of more than one page. Waits for it if the list holds at most `most` bytes so far.
    /// Otherwise returns `None` if no permit is free: the list must drop what it `held`, wait, and begin again.
    async fn permit_beside(&self, held: usize, most: usize) -> Option<Permit> {
        match self.long_lists.try_acquire() {
            None if held <= most => Some(self.long_lists.acquire().await),
            free => free,
        }
    }
}

/// Returns whether a page's link leads to another page.
fn has_next(next_link: Option<&str>) -> bool {
    next_link.is_some_and(|link| !link.is_empty())
}

/// Returns what a page's link takes in memory: the pager has it as well.
fn link_bytes(next_link: Option<&str>) -> usize {
    next_link.map_or(0, |link| 2 * link.len())
}

/// Returns the time at which the vault answered, by its own clock (RFC 9110, section 6.6.1).
fn date(headers: &Headers) -> Option<OffsetDateTime> {
    parse_rfc7231(header(headers, &HeaderName::from_static("date"))?).ok()
}

/// Returns options that pass the turn of a list's first page to the limiter.
fn paging(ask: &Arc<AdmittedRequest>) -> PagerOptions<'static> {
    PagerOptions { context: asking(ask.clone()).context, ..Default::default() }
}

/// Returns options that pass the request's turn to the limiter.
fn asking(ask: Arc<AdmittedRequest>) -> ClientMethodOptions<'static> {
    let mut context = Context::new();
    context.insert(ask);
    ClientMethodOptions { context }
}

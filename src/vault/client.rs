//! One vault, asked as one identity.

use std::{sync::Arc, time::Instant};

use azure_core::{
    credentials::TokenCredential,
    http::{ClientOptions, Url},
    time::OffsetDateTime,
};
use azure_security_keyvault_certificates::{
    CertificateClient, CertificateClientOptions, models::CertificateClientGetCertificateOptions,
};
use azure_security_keyvault_keys::{KeyClient, KeyClientOptions, models::KeyClientGetKeyOptions};
use azure_security_keyvault_secrets::{
    SecretClient, SecretClientOptions, models::SecretClientGetSecretOptions,
};
use futures::TryStreamExt;
use tracing::Instrument;

use crate::{
    metrics::{Metrics, Upstream},
    spec::object::{ObjectName, ObjectType, ObjectVersion},
    transport::Outgoing,
};

use super::{
    bundle::{Bundle, VersionProperties, version},
    error::VaultError,
    host::{VaultHost, VaultHosts},
};

/// Where clients come from: all of them over one transport.
#[derive(Debug, Clone)]
pub struct Vaults {
    options: ClientOptions,
    hosts: VaultHosts,
    metrics: Metrics,
}

impl Vaults {
    /// Vaults whose clients ask as `outgoing` says.
    pub fn new(outgoing: &Outgoing) -> Self {
        Self {
            options: outgoing.client_options(Upstream::KeyVault),
            hosts: VaultHosts::new(),
            metrics: outgoing.metrics.clone(),
        }
    }

    /// A client for the vault at `url`, asking with `credential`. Nothing is sent yet.
    ///
    /// # Errors
    /// Only where the SDK finds the URL unusable.
    pub fn connect(
        &self,
        url: &Url,
        credential: Arc<dyn TokenCredential>,
    ) -> Result<VaultClient, VaultError> {
        let host = self.hosts.of(url);
        let mut client_options = self.options.clone();
        // Above what counts requests, since an answer from memory is none.
        client_options.per_try_policies.insert(0, host.challenge.clone());
        Ok(VaultClient {
            host,
            metrics: self.metrics.clone(),
            secrets: SecretClient::new(
                url.as_str(),
                credential.clone(),
                Some(SecretClientOptions { client_options: client_options.clone(), ..Default::default() }),
            )?,
            keys: KeyClient::new(
                url.as_str(),
                credential.clone(),
                Some(KeyClientOptions { client_options: client_options.clone(), ..Default::default() }),
            )?,
            certificates: CertificateClient::new(
                url.as_str(),
                credential,
                Some(CertificateClientOptions { client_options, ..Default::default() }),
            )?,
        })
    }
}

/// A vault's three kinds of objects, read alike.
pub struct VaultClient {
    host: VaultHost,
    metrics: Metrics,
    secrets: SecretClient,
    keys: KeyClient,
    certificates: CertificateClient,
}

impl VaultClient {
    /// Reads one version of an object, the newest where none is named.
    ///
    /// # Errors
    /// What the vault answered instead, or why it did not.
    pub async fn get(
        &self,
        object_type: ObjectType,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
    ) -> Result<Bundle, VaultError> {
        self.measured(object_type, name, self.get_unmeasured(object_type, name, version)).await
    }

    /// Every version of an object, in the vault's order; empty where there is no such object.
    ///
    /// # Errors
    /// What the vault answered instead, or why it did not.
    pub async fn versions(
        &self,
        object_type: ObjectType,
        name: &ObjectName,
    ) -> Result<Vec<VersionProperties>, VaultError> {
        self.measured(object_type, name, self.versions_unmeasured(object_type, name)).await
    }

    async fn measured<T>(
        &self,
        object_type: ObjectType,
        name: &ObjectName,
        read: impl Future<Output = Result<T, VaultError>>,
    ) -> Result<T, VaultError> {
        let _turn = self.host.turn().await;
        let begin = Instant::now();
        let result = read
            .instrument(tracing::debug_span!("read", object = %format_args!("{object_type}/{name}")))
            .await;
        let error = result.as_ref().err().map(VaultError::label);
        self.metrics.read(object_type, name.as_str(), error, begin.elapsed());
        result
    }

    async fn get_unmeasured(
        &self,
        object_type: ObjectType,
        name: &ObjectName,
        version: Option<&ObjectVersion>,
    ) -> Result<Bundle, VaultError> {
        let name = name.as_str();
        let version = version.map(|version| version.as_str().to_owned());
        match object_type {
            ObjectType::Secret => {
                let options = SecretClientGetSecretOptions { secret_version: version, ..Default::default() };
                let secret = self.secrets.get_secret(name, Some(options)).await?.into_model()?;
                secret.try_into().map(Bundle::Secret)
            }
            ObjectType::Key => {
                let options = KeyClientGetKeyOptions { key_version: version, ..Default::default() };
                let key = self.keys.get_key(name, Some(options)).await?.into_model()?;
                key.try_into().map(Bundle::Key)
            }
            ObjectType::Certificate => {
                let options = CertificateClientGetCertificateOptions {
                    certificate_version: version,
                    ..Default::default()
                };
                let certificate =
                    self.certificates.get_certificate(name, Some(options)).await?.into_model()?;
                certificate.try_into().map(Bundle::Certificate)
            }
        }
    }

    async fn versions_unmeasured(
        &self,
        object_type: ObjectType,
        name: &ObjectName,
    ) -> Result<Vec<VersionProperties>, VaultError> {
        // The models of the three crates are alike, but no trait says so.
        macro_rules! list {
            ($pager:expr, $id:ident) => {
                $pager
                    .map_err(VaultError::from)
                    .try_filter_map(|item| async move {
                        // Compat: an entry without attributes is passed over.
                        let Some(attributes) = item.attributes else {
                            return Ok(None);
                        };
                        Ok(Some(VersionProperties {
                            version: version(item.$id)?,
                            enabled: attributes.enabled.unwrap_or(true),
                            created: attributes.created.unwrap_or(OffsetDateTime::UNIX_EPOCH),
                        }))
                    })
                    .try_collect()
                    .await
            };
        }
        let name = name.as_str();
        match object_type {
            ObjectType::Secret => list!(self.secrets.list_secret_properties_versions(name, None)?, id),
            ObjectType::Key => list!(self.keys.list_key_properties_versions(name, None)?, kid),
            ObjectType::Certificate => {
                list!(self.certificates.list_certificate_properties_versions(name, None)?, id)
            }
        }
    }
}

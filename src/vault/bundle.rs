//! What a vault answers, with the required fields proven present.

use azure_core::http::Url;
use azure_core::time::OffsetDateTime;
use azure_security_keyvault_certificates::models as certificates;
use azure_security_keyvault_keys::models as keys;
use azure_security_keyvault_secrets::models as secrets;

use crate::{
    content::jwk::PublicJwk,
    spec::{object::ObjectVersion, sensitive::Sensitive},
};

use super::error::VaultError;

/// One version of an object.
#[derive(Debug)]
pub enum Bundle {
    /// A secret's value.
    Secret(SecretBundle),
    /// A key's public part.
    Key(KeyBundle),
    /// A certificate.
    Certificate(CertificateBundle),
}

impl Bundle {
    /// Which version it is.
    pub fn version(&self) -> &ObjectVersion {
        match self {
            Self::Secret(bundle) => &bundle.version,
            Self::Key(bundle) => &bundle.version,
            Self::Certificate(bundle) => &bundle.version,
        }
    }
}

/// A secret.
#[derive(Debug)]
pub struct SecretBundle {
    /// Its version.
    pub version: ObjectVersion,
    /// Its value.
    pub value: Sensitive<String>,
    /// The value's content type, where the secret backs a certificate (only then the answer has a `kid`); empty where
    /// the answer names none.
    pub backs_certificate: Option<String>,
}

/// The public part of a key.
#[derive(Debug)]
pub struct KeyBundle {
    /// Its version.
    pub version: ObjectVersion,
    /// The JSON Web Key.
    pub key: PublicJwk,
}

/// A certificate without its chain.
#[derive(Debug)]
pub struct CertificateBundle {
    /// Its version.
    pub version: ObjectVersion,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

/// A version in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionProperties {
    /// The version.
    pub version: ObjectVersion,
    /// Whether it can be read.
    pub enabled: bool,
    /// When it was made.
    pub created: OffsetDateTime,
}

impl TryFrom<secrets::Secret> for SecretBundle {
    type Error = VaultError;

    fn try_from(secret: secrets::Secret) -> Result<Self, VaultError> {
        let value = secret.value.map(Sensitive::new).ok_or(VaultError::Incomplete("value"))?;
        let version = version(secret.id)?;
        let backed = secret.kid.is_some_and(|kid| !kid.is_empty());
        Ok(Self {
            version,
            value,
            backs_certificate: backed.then(|| secret.content_type.unwrap_or_default()),
        })
    }
}

impl TryFrom<keys::Key> for KeyBundle {
    type Error = VaultError;

    fn try_from(key: keys::Key) -> Result<Self, VaultError> {
        let key = key.key.ok_or(VaultError::Incomplete("key"))?;
        let version = version(key.kid)?;
        let kty = key.kty.ok_or(VaultError::Incomplete("kty"))?;
        Ok(Self {
            version,
            key: PublicJwk {
                kty: kty.to_string(),
                curve: key.crv.map(|curve| curve.to_string()),
                n: key.n,
                e: key.e,
                x: key.x,
                y: key.y,
            },
        })
    }
}

impl TryFrom<certificates::Certificate> for CertificateBundle {
    type Error = VaultError;

    fn try_from(certificate: certificates::Certificate) -> Result<Self, VaultError> {
        let der = certificate.cer.ok_or(VaultError::Incomplete("cer"))?;
        Ok(Self { version: version(certificate.id)?, der })
    }
}

/// The version in an object identifier: `https://<vault>/<collection>/<name>/<version>`
/// (<https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers>).
pub(super) fn version(id: Option<String>) -> Result<ObjectVersion, VaultError> {
    let id = id.ok_or(VaultError::Incomplete("id"))?;
    let url = id.parse::<Url>().map_err(|_| VaultError::Incomplete("id"))?;
    url.path_segments()
        .and_then(|mut segments| segments.nth(2)?.parse().ok())
        .ok_or(VaultError::Incomplete("version in the id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_third_segment_of_the_identifier() {
        let parse = |id: &str| version(Some(id.to_owned())).ok().map(|version| version.as_str().to_owned());
        assert_eq!(parse("https://lab.vault.azure.net/secrets/s/v1").as_deref(), Some("v1"));
        assert_eq!(parse("https://lab.vault.azure.net/keys/k/v2/").as_deref(), Some("v2"));
        assert_eq!(parse("https://lab.vault.azure.net/secrets/s"), None);
        assert_eq!(parse("https://lab.vault.azure.net/secrets/s/"), None);
        assert_eq!(parse("s/v1"), None);
        assert!(version(None).is_err());
    }
}

//! Objects in a vault's answers, with the required fields proven present.

use azure_core::time::OffsetDateTime;
use azure_security_keyvault_certificates::models as certificates;
use azure_security_keyvault_keys::models as keys;
use azure_security_keyvault_secrets::models as secrets;

use crate::{
    content::jwk::PublicJwk,
    spec::{object::ObjectVersion, sensitive::Sensitive},
};

use super::{error::VaultError, identifier, read::Read};

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
    /// Returns the object's version.
    pub fn version(&self) -> &ObjectVersion {
        match self {
            Self::Secret(bundle) => &bundle.version,
            Self::Key(bundle) => &bundle.version,
            Self::Certificate(bundle) => &bundle.version,
        }
    }
}

/// A secret with its value.
#[derive(Debug)]
pub struct SecretBundle {
    /// The version of the secret.
    pub version: ObjectVersion,
    /// The value of the secret.
    pub value: Sensitive<String>,
    /// The value's content type if the secret backs a certificate (only then the answer has a `kid`); empty if the
    /// answer has none.
    pub backs_certificate: Option<String>,
}

/// The public part of a key.
#[derive(Debug)]
pub struct KeyBundle {
    /// The version of the key.
    pub version: ObjectVersion,
    /// The JSON Web Key.
    pub key: PublicJwk,
}

/// A certificate without its chain.
#[derive(Debug)]
pub struct CertificateBundle {
    /// The version of the certificate.
    pub version: ObjectVersion,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

/// A version in a list of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionProperties {
    /// The identifier of the version.
    pub version: ObjectVersion,
    /// True if the version can be read.
    pub enabled: bool,
    /// The creation time.
    pub created: OffsetDateTime,
}

impl SecretBundle {
    /// Returns the secret in an answer to `read`.
    ///
    /// # Errors
    /// A required field is missing, or the answer is about another object.
    pub fn answering(read: &Read, secret: secrets::Secret) -> Result<Self, VaultError> {
        let version = identifier::accept(read, secret.id)?;
        let value = secret.value.map(Sensitive::new).ok_or(VaultError::Incomplete("value"))?;
        let backed = secret.kid.is_some_and(|kid| !kid.is_empty());
        Ok(Self {
            version,
            value,
            backs_certificate: backed.then(|| secret.content_type.unwrap_or_default()),
        })
    }
}

impl KeyBundle {
    /// Returns the key in an answer to `read`.
    ///
    /// # Errors
    /// A required field is missing, or the answer is about another object.
    pub fn answering(read: &Read, key: keys::Key) -> Result<Self, VaultError> {
        let key = key.key.ok_or(VaultError::Incomplete("key"))?;
        let version = identifier::accept(read, key.kid)?;
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

impl CertificateBundle {
    /// Returns the certificate in an answer to `read`.
    ///
    /// # Errors
    /// A required field is missing, or the answer is about another object.
    pub fn answering(read: &Read, certificate: certificates::Certificate) -> Result<Self, VaultError> {
        let version = identifier::accept(read, certificate.id)?;
        let der = certificate.cer.ok_or(VaultError::Incomplete("cer"))?;
        Ok(Self { version, der })
    }
}

//! What a vault answers, with the required fields proven present.

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

impl SecretBundle {
    /// The secret in an answer to `read`.
    ///
    /// # Errors
    /// The answer lacks something, or it is about another object.
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
    /// The key in an answer to `read`.
    ///
    /// # Errors
    /// The answer lacks something, or it is about another object.
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
    /// The certificate in an answer to `read`.
    ///
    /// # Errors
    /// The answer lacks something, or it is about another object.
    pub fn answering(read: &Read, certificate: certificates::Certificate) -> Result<Self, VaultError> {
        let version = identifier::accept(read, certificate.id)?;
        let der = certificate.cer.ok_or(VaultError::Incomplete("cer"))?;
        Ok(Self { version, der })
    }
}

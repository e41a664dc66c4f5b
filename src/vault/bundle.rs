//! Objects in a vault's answers, with the required fields proven present.

use azure_core::time::OffsetDateTime;
use azure_security_keyvault_certificates::models as certificates;
use azure_security_keyvault_keys::models as keys;
use azure_security_keyvault_secrets::models as secrets;

use crate::{
    content::jwk::PublicJwk,
    spec::{object::ObjectVersion, sensitive::Sensitive},
};

use super::{
    error::VaultError,
    identifier::{self, Identifier},
    properties::Properties,
    read::Read,
};

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

    /// Returns the approximate size of the content, in bytes.
    pub fn content_bytes(&self) -> usize {
        match self {
            Self::Secret(secret) => secret.value.expose().len(),
            // No part of a key is longer than a few hundred bytes.
            Self::Key(_) => 1024,
            Self::Certificate(certificate) => certificate.der.len(),
        }
    }

    /// Returns what the vault says about the version.
    pub fn properties(&self) -> &Properties {
        match self {
            Self::Secret(bundle) => &bundle.properties,
            Self::Key(bundle) => &bundle.properties,
            Self::Certificate(bundle) => &bundle.properties,
        }
    }

    /// Sets the time of the answer, by the vault's own clock.
    pub(super) fn with_answered(mut self, answered: Option<OffsetDateTime>) -> Self {
        let properties = match &mut self {
            Self::Secret(bundle) => &mut bundle.properties,
            Self::Key(bundle) => &mut bundle.properties,
            Self::Certificate(bundle) => &mut bundle.properties,
        };
        properties.answered = answered;
        self
    }
}

/// A secret with its value.
#[derive(Debug)]
pub struct SecretBundle {
    /// The version of the secret.
    pub version: ObjectVersion,
    /// What the vault says about the version.
    pub properties: Properties,
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
    /// What the vault says about the version.
    pub properties: Properties,
    /// The JSON Web Key.
    pub key: PublicJwk,
}

/// A certificate without its chain.
#[derive(Debug)]
pub struct CertificateBundle {
    /// The version of the certificate.
    pub version: ObjectVersion,
    /// What the vault says about the version.
    pub properties: Properties,
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
    /// The version is not valid before this time.
    pub not_before: Option<OffsetDateTime>,
    /// The version is not valid from this time on.
    pub expires: Option<OffsetDateTime>,
}

impl SecretBundle {
    /// Returns the secret in an answer to `read`.
    ///
    /// # Errors
    /// A required field is missing, or the answer is about another object.
    pub fn answering(read: &Read, secret: secrets::Secret) -> Result<Self, VaultError> {
        let Identifier { version, url } = identifier::accept(read, secret.id)?;
        let properties = Properties::new(url, secret.attributes, secret.tags)
            .with_content_type(secret.content_type.as_deref())
            .with_managed(secret.managed);
        let value = secret.value.map(Sensitive::new).ok_or(VaultError::Incomplete("value"))?;
        let backed = secret.kid.is_some_and(|kid| !kid.is_empty());
        Ok(Self {
            version,
            properties,
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
        let keys::Key { attributes, key, managed, tags, .. } = key;
        let key = key.ok_or(VaultError::Incomplete("key"))?;
        let Identifier { version, url } = identifier::accept(read, key.kid)?;
        let properties = Properties::new(url, attributes, tags).with_managed(managed);
        let kty = key.kty.ok_or(VaultError::Incomplete("kty"))?;
        Ok(Self {
            version,
            properties,
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
        let Identifier { version, url } = identifier::accept(read, certificate.id)?;
        let properties = Properties::new(url, certificate.attributes, certificate.tags)
            .with_content_type(certificate.content_type.as_deref());
        let der = certificate.cer.ok_or(VaultError::Incomplete("cer"))?;
        Ok(Self { version, properties, der })
    }
}

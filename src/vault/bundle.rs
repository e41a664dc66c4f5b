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
    heap::{block, shared_text},
    identifier::{self, Identifier},
    properties::Properties,
    read::Read,
};

/// A key counts as at least this many bytes of a volume.
const MIN_KEY_BYTES: usize = 1_024;

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
            // The text of an honest key is shorter. The vault decides how long its parts are.
            Self::Key(bundle) => bundle.key.bytes().max(MIN_KEY_BYTES),
            Self::Certificate(certificate) => certificate.der.len(),
        }
    }

    /// Returns the approximate size in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let content = match self {
            Self::Secret(bundle) => {
                block(bundle.value.expose().capacity())
                    + bundle.backs_certificate.as_ref().map_or(0, |kind| block(kind.capacity()))
            }
            Self::Key(bundle) => {
                let PublicJwk { kty, curve, n, e, x, y } = &bundle.key;
                let parts = [n, e, x, y].into_iter().flatten().map(|part| block(part.capacity()));
                block(kty.capacity())
                    + curve.as_ref().map_or(0, |curve| block(curve.capacity()))
                    + parts.sum::<usize>()
            }
            Self::Certificate(bundle) => block(bundle.der.capacity()),
        };
        block(2 * size_of::<usize>() + size_of::<Self>())
            + shared_text(self.version().as_str())
            + self.properties().heap_bytes()
            + content
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
    /// answer has none, or a longer one than Key Vault allows.
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
        let backs_certificate = backed.then(|| properties.content_type.clone().unwrap_or_default());
        Ok(Self { version, properties, value, backs_certificate })
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

#[cfg(test)]
mod tests {
    use crate::spec::object::ObjectType;

    use super::*;

    fn read(object_type: ObjectType) -> Read {
        Read { object_type, name: "a".parse().unwrap(), version: None }
    }

    fn key(n: usize) -> Bundle {
        let jwk = keys::JsonWebKey {
            kid: Some("https://lab.vault.azure.net/keys/a/1".to_owned()),
            kty: Some(keys::KeyType::Rsa),
            n: Some(vec![1; n]),
            e: Some(vec![1, 0, 1]),
            ..Default::default()
        };
        let mut key = keys::Key::default();
        key.key = Some(jwk);
        Bundle::Key(KeyBundle::answering(&read(ObjectType::Key), key).unwrap())
    }

    /// It once counted as a kilobyte, so a vault could fill the memory with its answers.
    #[test]
    fn a_key_of_a_megabyte_counts_as_one() {
        assert_eq!(key(512).content_bytes(), 1_024);
        for bytes in [key(750_000).content_bytes(), key(750_000).bytes()] {
            assert!((750_000..760_000).contains(&bytes), "{bytes}");
        }
    }

    #[test]
    fn a_small_secret_takes_less_than_a_kilobyte_and_its_tags_count() {
        let secret = |tags: u8| {
            let tags = (0..tags).map(|tag| (char::from(b'a' + tag).to_string(), "v".to_owned()));
            let id = "https://lab.vault.azure.net/secrets/a/0a1b2c3d4e5f60718293a4b5c6d7e8f9";
            let mut secret = secrets::Secret::default();
            secret.id = Some(id.to_owned());
            secret.value = Some("a".repeat(30));
            secret.tags = Some(tags.collect());
            Bundle::Secret(SecretBundle::answering(&read(ObjectType::Secret), secret).unwrap()).bytes()
        };
        assert!((300..800).contains(&secret(0)), "{}", secret(0));
        assert!(secret(15) > secret(0) + 2_000, "{}", secret(15));
    }

    #[test]
    fn an_identifier_and_a_content_type_of_a_megabyte_are_not_kept() {
        let secret = |id: &str, content_type: usize| {
            let mut secret = secrets::Secret::default();
            secret.id = Some(id.to_owned());
            secret.value = Some("x".to_owned());
            secret.kid = Some("k".to_owned());
            secret.content_type = Some("t".repeat(content_type));
            SecretBundle::answering(&read(ObjectType::Secret), secret)
        };
        let id = "https://lab.vault.azure.net/secrets/a/1";
        let kept = |content_type| secret(id, content_type).unwrap().backs_certificate.map(|kept| kept.len());
        assert_eq!((kept(255), kept(1 << 20)), (Some(255), Some(0)));
        let error = secret(&format!("{id}?{}", "x".repeat(1 << 20)), 1).unwrap_err();
        assert_eq!(error.to_string(), "the vault's answer has no id of at most 1024 bytes");
    }
}

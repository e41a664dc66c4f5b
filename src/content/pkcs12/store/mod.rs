//! Writes PKCS#12 stores for Java, .NET and OpenSSL: a key with its certificates, or trusted certificates.
//!
//! The layout is that of OpenSSL and go-pkcs12: the certificates in an encrypted safe, and the key in a bag of its own.

mod attributes;
mod encryption;
mod salts;

use der::{
    Encode,
    asn1::{AnyRef, OctetStringRef},
    oid::ObjectIdentifier,
};

use self::{
    attributes::Attributes,
    encryption::{Encrypted, encrypt},
    salts::{Salts, Use},
};
use super::{
    CERT_BAG, DATA, ENCRYPTED_DATA, SHROUDED_KEY_BAG, VERSION, X509_CERTIFICATE,
    mac::{self, MacAlgorithm},
    password::Password,
    shapes::{CertBag, ContentInfo, EncryptedContentInfo, EncryptedData, EncryptedPrivateKeyInfo, SafeBag},
};
use crate::spec::{
    output::{Alias, StoreProfile},
    sensitive::Sensitive,
};

/// The rounds of each key derivation, as in go-pkcs12's profiles.
const ROUNDS: u16 = 2048;

/// How a store is protected.
#[derive(Clone, Copy)]
pub struct Protection<'a> {
    /// The algorithms.
    pub profile: StoreProfile,
    /// The password; may be empty.
    pub password: &'a str,
}

/// The content of a keystore.
#[derive(Clone, Copy)]
pub struct KeyEntry<'a> {
    /// The friendly name of the key and its certificate.
    pub alias: &'a Alias,
    /// The private key in PKCS#8.
    pub key: &'a [u8],
    /// The certificate of the key in DER.
    pub leaf: &'a [u8],
    /// The certificates above `leaf` in DER, each followed by its issuer.
    pub chain: &'a [&'a [u8]],
}

/// The store cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the PKCS#12 store cannot be written")]
pub struct StoreError;

impl From<der::Error> for StoreError {
    /// Drops the cause: only a length beyond 256 MiB fails, and no answer of a vault is that long.
    fn from(_: der::Error) -> Self {
        Self
    }
}

impl Protection<'_> {
    /// Writes a store with a key and its certificates. The same entry gives the same bytes.
    ///
    /// # Errors
    /// The store is too long for DER.
    pub fn keystore(self, entry: KeyEntry<'_>) -> Result<Sensitive<Vec<u8>>, StoreError> {
        let attributes = Attributes::of_key(entry.alias, entry.leaf)?;
        let mut bags = vec![certificate_bag(entry.leaf, Some(&attributes))?];
        for certificate in entry.chain {
            bags.push(certificate_bag(certificate, None)?);
        }
        let salts = Salts::new(entry.key, self.profile, &bags);
        let password = Password::new(self.password);
        let certificates = self.encrypted_safe(&bags, &password, &salts)?;
        let shrouded = encrypt(self.profile, entry.key, &password, salts.of(Use::Key))?;
        let shrouded = EncryptedPrivateKeyInfo {
            algorithm: shrouded.algorithm()?,
            encrypted: OctetStringRef::new(&shrouded.data)?,
        }
        .to_der()?;
        let key = bag(SHROUDED_KEY_BAG, &shrouded, Some(&attributes))?;
        let key = data(&sequence(&[key])?)?;
        self.authenticated(&[certificates, key], &password, &salts)
    }

    /// Writes a store with trusted certificates in DER, in their order. The same certificates give the same bytes.
    ///
    /// # Errors
    /// The store is too long for DER.
    pub fn truststore(self, alias: &Alias, certificates: &[&[u8]]) -> Result<Sensitive<Vec<u8>>, StoreError> {
        let mut bags = Vec::with_capacity(certificates.len());
        for (index, certificate) in certificates.iter().enumerate() {
            let alias = if certificates.len() == 1 { alias.clone() } else { alias.numbered(index + 1) };
            bags.push(certificate_bag(certificate, Some(&Attributes::of_trusted(&alias)?))?);
        }
        let salts = Salts::new(&certificates.concat(), self.profile, &bags);
        let password = Password::new(self.password);
        let certificates = self.encrypted_safe(&bags, &password, &salts)?;
        self.authenticated(&[certificates], &password, &salts)
    }

    /// Returns the content info of an encrypted safe.
    fn encrypted_safe(
        self,
        bags: &[Vec<u8>],
        password: &Password<'_>,
        salts: &Salts,
    ) -> der::Result<Vec<u8>> {
        let encrypted: Encrypted =
            encrypt(self.profile, &sequence(bags)?, password, salts.of(Use::Certificates))?;
        let info = EncryptedContentInfo {
            content_type: DATA,
            algorithm: encrypted.algorithm()?,
            content: Some(OctetStringRef::new(&encrypted.data)?),
        };
        let content = EncryptedData { version: 0, info, attributes: None }.to_der()?;
        content_info(ENCRYPTED_DATA, &content)
    }

    /// Returns the whole store: `parts` under a MAC.
    fn authenticated(
        self,
        parts: &[Vec<u8>],
        password: &Password<'_>,
        salts: &Salts,
    ) -> Result<Sensitive<Vec<u8>>, StoreError> {
        let content = sequence(parts)?;
        let algorithm = match self.profile {
            StoreProfile::Modern2023 => MacAlgorithm::Sha256,
            StoreProfile::LegacyDes => MacAlgorithm::Sha1,
        };
        let mac = mac::compute(&content, password, algorithm, &salts.of(Use::Mac).salt, ROUNDS)?;
        let parts = [VERSION.to_der()?, data(&content)?, mac];
        Ok(Sensitive::new(sequence(&parts)?))
    }
}

fn certificate_bag(der: &[u8], attributes: Option<&Attributes>) -> der::Result<Vec<u8>> {
    let value = CertBag { id: X509_CERTIFICATE, value: OctetStringRef::new(der)? }.to_der()?;
    bag(CERT_BAG, &value, attributes)
}

fn bag(id: ObjectIdentifier, value: &[u8], attributes: Option<&Attributes>) -> der::Result<Vec<u8>> {
    let attributes = attributes.map(Attributes::as_any).transpose()?;
    SafeBag { id, value: AnyRef::try_from(value)?, attributes }.to_der()
}

/// Returns a content info with plain `octets`.
fn data(octets: &[u8]) -> der::Result<Vec<u8>> {
    content_info(DATA, &OctetStringRef::new(octets)?.to_der()?)
}

fn content_info(content_type: ObjectIdentifier, content: &[u8]) -> der::Result<Vec<u8>> {
    ContentInfo { content_type, content: Some(AnyRef::try_from(content)?) }.to_der()
}

/// Returns a SEQUENCE of `elements`, each in DER.
fn sequence(elements: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    AnyRef::new(der::Tag::Sequence, &elements.concat())?.to_der()
}

#[cfg(test)]
mod tests;

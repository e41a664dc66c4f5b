//! PKCS#12 archives (RFC 7292): those of Key Vault, which are under the empty password, and others.

mod cipher;
mod mac;
mod password;
mod shapes;
pub mod store;
mod work;

use der::{
    Decode, Encode, ErrorKind,
    asn1::{OctetStringRef, SequenceRef},
    oid::ObjectIdentifier,
};
use zeroize::Zeroizing;

use self::{
    mac::MacData,
    password::Password,
    shapes::{Bags, CertBag, ContentInfo, EncryptedData, EncryptedPrivateKeyInfo, Pfx},
    work::ArchiveWork,
};
use crate::{content::work::Work, spec::sensitive::Sensitive};

pub use self::password::PasswordKind;

/// The content of an archive, in its stored order.
#[derive(Debug, Default)]
pub struct Archive {
    /// Private keys in PKCS#8, not yet parsed.
    pub keys: Vec<Sensitive<Vec<u8>>>,
    /// Certificates in X.509 DER, not yet parsed; may hold duplicates.
    pub certificates: Vec<Vec<u8>>,
}

impl Archive {
    /// Opens `pfx` with `password`, of which the empty one has two forms.
    ///
    /// Supports PBES1 (3DES and 40-bit RC2) and PBES2, encrypted and plain bags, with or without a MAC. Bags of other
    /// kinds (revocation lists, secrets) are skipped. The key derivation work of a whole archive is bounded, and is taken
    /// from `work`.
    ///
    /// # Errors
    /// The archive is malformed, truncated or under another password, or it needs an unsupported algorithm or too much
    /// work.
    pub fn open(pfx: &[u8], password: &str, work: &mut Work) -> Result<Self, Pkcs12Error> {
        let pfx = Pfx::from_der(pfx).map_err(|error| match error.kind() {
            ErrorKind::Incomplete { .. } => Pkcs12Error::Truncated,
            _ => Pkcs12Error::Malformed("outer structure"),
        })?;
        if pfx.version != VERSION {
            return Err(Pkcs12Error::UnsupportedVersion(pfx.version));
        }
        if pfx.auth_safe.content_type != DATA {
            return Err(Pkcs12Error::UnsupportedContent(pfx.auth_safe.content_type));
        }
        let content = pfx.auth_safe.octets("authenticated safe")?;

        let mut work = ArchiveWork::granted(work);
        let opened = Self::read(content, pfx.mac.as_ref(), &Password::new(password), &mut work);
        match opened {
            // Compat: the empty password is two zero bytes, or no bytes if the first form fails.
            Err(
                wrong @ (Pkcs12Error::WrongPassword(PasswordKind::Empty)
                | Pkcs12Error::Undecryptable(PasswordKind::Empty)),
            ) => Self::read(content, pfx.mac.as_ref(), &Password::absent(), &mut work).map_err(|error| {
                match error {
                    Pkcs12Error::TooMuchWork
                    | Pkcs12Error::TooMuchWorkTogether
                    | Pkcs12Error::UnsupportedAlgorithm { .. } => error,
                    _ => wrong,
                }
            }),
            opened => opened,
        }
    }

    fn read(
        content: &[u8],
        mac: Option<&MacData<'_>>,
        password: &Password<'_>,
        work: &mut ArchiveWork<'_>,
    ) -> Result<Self, Pkcs12Error> {
        if let Some(mac) = mac {
            mac.verify(content, password, work)?;
        }
        let safes = Vec::<ContentInfo<'_>>::from_der(content).map_err(malformed("authenticated safe"))?;
        let mut archive = Self::default();
        for safe in safes {
            match safe.content_type {
                DATA => {
                    let bags =
                        Bags::from_der(safe.octets("safe contents")?).map_err(malformed("safe contents"))?;
                    archive.add(bags, password, work, 0)?;
                }
                ENCRYPTED_DATA => {
                    let encrypted = safe
                        .content()?
                        .decode_as::<EncryptedData<'_>>()
                        .map_err(malformed("encrypted data"))?;
                    let contents = cipher::decrypt(
                        &encrypted.info.algorithm,
                        encrypted.info.content.map(OctetStringRef::as_bytes).unwrap_or_default(),
                        password,
                        work,
                    )?;
                    // One wrong key in 256 leaves a valid padding.
                    let bags =
                        Bags::from_der(&contents).map_err(|_| Pkcs12Error::Undecryptable(password.kind()))?;
                    archive.add(bags, password, work, 0)?;
                }
                other => return Err(Pkcs12Error::UnsupportedContent(other)),
            }
        }
        Ok(archive)
    }

    fn add(
        &mut self,
        bags: Bags<'_>,
        password: &Password<'_>,
        work: &mut ArchiveWork<'_>,
        depth: usize,
    ) -> Result<(), Pkcs12Error> {
        for bag in bags {
            match bag.id {
                KEY_BAG => self.keep(bag.value.to_der().map_err(malformed("key bag"))?)?,
                SHROUDED_KEY_BAG => {
                    let shrouded =
                        bag.value.decode_as::<EncryptedPrivateKeyInfo<'_>>().map_err(malformed("key bag"))?;
                    let mut key =
                        cipher::decrypt(&shrouded.algorithm, shrouded.encrypted.as_bytes(), password, work)?;
                    <&SequenceRef>::from_der(&key)
                        .map_err(|_| Pkcs12Error::Undecryptable(password.kind()))?;
                    self.keep(std::mem::take(&mut *key))?;
                }
                CERT_BAG => {
                    let bag = bag.value.decode_as::<CertBag<'_>>().map_err(malformed("certificate bag"))?;
                    if bag.id != X509_CERTIFICATE {
                        return Err(Pkcs12Error::UnsupportedContent(bag.id));
                    }
                    self.certificates.push(bag.value.as_bytes().to_vec());
                }
                SAFE_CONTENTS_BAG if depth < MAX_NESTED => {
                    let nested = Zeroizing::new(bag.value.to_der().map_err(malformed("safe contents"))?);
                    let bags = Bags::from_der(&nested).map_err(malformed("nested safe contents"))?;
                    self.add(bags, password, work, depth + 1)?;
                }
                SAFE_CONTENTS_BAG => return Err(Pkcs12Error::Malformed("nested safe contents")),
                _ => {}
            }
        }
        Ok(())
    }

    fn keep(&mut self, key: Vec<u8>) -> Result<(), Pkcs12Error> {
        self.keys.push(Sensitive::new(key));
        if self.keys.len() > MAX_KEYS { Err(Pkcs12Error::TooManyKeys) } else { Ok(()) }
    }
}

/// Why an archive cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs12Error {
    /// The archive is truncated.
    #[error("the archive is cut short")]
    Truncated,

    /// A part is not valid DER.
    #[error("the {0} of the archive is malformed")]
    Malformed(&'static str),

    /// Version 3 is the only one that exists.
    #[error("archive version {0} is not supported, expected 3")]
    UnsupportedVersion(u8),

    /// A part has an unsupported type, such as one encrypted to a public key.
    #[error("the archive holds content of type {0}, which is not supported")]
    UnsupportedContent(ObjectIdentifier),

    /// An algorithm is not supported.
    #[error("the {purpose} algorithm {algorithm} of the archive is not supported")]
    UnsupportedAlgorithm {
        /// The algorithm's purpose.
        purpose: &'static str,
        /// The algorithm's object identifier.
        algorithm: ObjectIdentifier,
    },

    /// The MAC does not match.
    #[error("the archive is under another password, or was altered: its MAC does not fit {0}")]
    WrongPassword(PasswordKind),

    /// The content does not decrypt, although the MAC matches or is absent.
    #[error("the archive does not decrypt with {0}")]
    Undecryptable(PasswordKind),

    /// An iteration count is not a positive number.
    #[error("an iteration count of the archive is not a positive number")]
    Iterations,

    /// The archive holds more private keys than the limit.
    #[error("the archive holds more than {MAX_KEYS} private keys")]
    TooManyKeys,

    /// Key derivation would take too long.
    #[error("the archive asks for more key derivation work than is granted")]
    TooMuchWork,

    /// Key derivation for all archives of the mount would take too long.
    #[error(
        "the archives of this mount together ask for more key derivation work than is granted; use several volumes, or \
         archives with fewer iterations"
    )]
    TooMuchWorkTogether,
}

fn malformed(part: &'static str) -> impl Fn(der::Error) -> Pkcs12Error {
    move |_| Pkcs12Error::Malformed(part)
}

const VERSION: u8 = 3;
const MAX_NESTED: usize = 4;
/// A certificate has one key, and parsing each key costs a multiplication on its curve.
pub(super) const MAX_KEYS: usize = 100;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const SAFE_CONTENTS_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.6");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");

#[cfg(test)]
mod tests;

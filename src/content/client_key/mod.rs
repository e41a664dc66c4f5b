//! The private key and the certificate with which a service principal proves itself, from the text of a Secret.

use aws_lc_rs::rsa::KeyPair;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use super::{
    chain, encoding,
    pem::{self, BrokenBlock, CERTIFICATE, PRIVATE_KEY},
    pkcs12::{Archive, Pkcs12Error},
    private_key::{PrivateKey, PrivateKeyError},
    work::Work,
};

/// An RSA key with its certificate.
pub struct ClientKey {
    /// The key. Its library wipes it.
    pub pair: KeyPair,
    /// The key's certificate in DER, then its issuers as far as they are stored, then the others.
    pub certificates: Vec<Vec<u8>>,
}

/// Why a client certificate cannot be used. No variant holds any part of the key or the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientKeyError {
    /// The text is too long.
    #[error("it is longer than {MAX_BYTES} bytes; leave out certificates that are not of its chain")]
    TooLong,
    /// The text is in neither format.
    #[error(
        "it is neither PEM nor PKCS#12 in base64; store the private key and its certificate in one of them"
    )]
    UnknownFormat,
    /// A block of PEM begins, and cannot be read.
    #[error("a PEM block of it is cut off, indented or not base64; store the whole file unchanged")]
    BrokenBlock,
    /// The archive cannot be opened.
    #[error("{0}; check the archive and clientcertificatepassword")]
    Archive(Pkcs12Error),
    /// The key in PEM is encrypted.
    #[error(
        "its key in PEM is encrypted; store the key unencrypted, or key and certificate as PKCS#12 with \
         clientcertificatepassword"
    )]
    EncryptedPem,
    /// The key is malformed.
    #[error("{0}; store an RSA key in PKCS#8 or PKCS#1")]
    Key(PrivateKeyError),
    /// There is no key.
    #[error("it has no private key; store the key with its certificate")]
    NoKey,
    /// There are several keys.
    #[error("it has {0} private keys; store one key with its certificate")]
    SeveralKeys(usize),
    /// Entra and AD FS verify RSA alone.
    #[error("its key is not RSA of 2,048 to 8,192 bits; Entra accepts no other, so create a new certificate")]
    NotRsa,
    /// The numbers of the key do not belong together.
    #[error("its key cannot sign; store the key unchanged")]
    CannotSign,
    /// No certificate belongs to the key.
    #[error("it has no certificate of its private key; store the key with its certificate")]
    NoCertificate,
    /// The certificates cannot be put in order.
    #[error("it has too many certificates; leave out those that are not of its chain")]
    TooManyCertificates,
    /// The certificate has expired.
    #[error("its certificate expired at {0}; register a new certificate, and store it with its key")]
    Expired(String),
    /// The certificate is not valid yet.
    #[error("its certificate is not valid before {0}; check the node's clock")]
    NotYetValid(String),
}

impl ClientKey {
    /// Opens `text`, which is PEM, or PKCS#12 in base64 under `password`.
    ///
    /// # Errors
    /// There is not exactly one key in it, the key is not RSA, or no certificate of the key is valid at `now`.
    pub fn open(text: &str, password: &str, now: OffsetDateTime) -> Result<Self, ClientKeyError> {
        if text.len() > MAX_BYTES {
            return Err(ClientKeyError::TooLong);
        }
        let work = &mut Work::of_mount();
        let (key, certificates) =
            if pem::is_pem(text) { from_pem(text) } else { from_pkcs12(text, password, work) }?;
        let pair = KeyPair::from_pkcs8(key.pkcs8()).map_err(|_| ClientKeyError::NotRsa)?;
        let certificates: Vec<Vec<u8>> = chain::order(&certificates, &[key.public_key()], work)
            .map_err(|_| ClientKeyError::TooManyCertificates)?
            .into_iter()
            .map(<[u8]>::to_vec)
            .collect();
        let leaf = certificates.first().and_then(|leaf| X509Certificate::from_der(leaf).ok());
        let (_, leaf) = leaf
            .filter(|(_, leaf)| *leaf.public_key().subject_public_key.data == *key.public_key())
            .ok_or(ClientKeyError::NoCertificate)?;
        let validity = leaf.validity();
        if now.unix_timestamp() > validity.not_after.timestamp() {
            return Err(ClientKeyError::Expired(moment(validity.not_after.timestamp())));
        }
        if now.unix_timestamp() < validity.not_before.timestamp() {
            return Err(ClientKeyError::NotYetValid(moment(validity.not_before.timestamp())));
        }
        Ok(Self { pair, certificates })
    }
}

/// A key, and certificates in DER.
type Parts = (PrivateKey, Vec<Vec<u8>>);

fn from_pem(text: &str) -> Result<Parts, ClientKeyError> {
    let (mut keys, mut certificates) = (Vec::new(), Vec::new());
    for block in pem::whole_blocks(text) {
        let block = block.map_err(|BrokenBlock| ClientKeyError::BrokenBlock)?;
        match block.label {
            CERTIFICATE => certificates.push(block.content.to_vec()),
            // RFC 7468, section 11, and the headers of OpenSSL's older format.
            "ENCRYPTED PRIVATE KEY" => return Err(ClientKeyError::EncryptedPem),
            _ if block.headers.contains_key("DEK-Info") => return Err(ClientKeyError::EncryptedPem),
            PRIVATE_KEY => keys.push(PrivateKey::from_pkcs8(&block.content)),
            "RSA PRIVATE KEY" => keys.push(PrivateKey::from_pkcs1(&block.content)),
            "EC PRIVATE KEY" => return Err(ClientKeyError::NotRsa),
            _ => {}
        }
    }
    Ok((only(keys)?.map_err(ClientKeyError::Key)?, certificates))
}

fn from_pkcs12(text: &str, password: &str, work: &mut Work) -> Result<Parts, ClientKeyError> {
    let pfx = encoding::base64(text.trim().as_bytes()).map_err(|_| ClientKeyError::UnknownFormat)?;
    if pfx.first() != Some(&DER_SEQUENCE) {
        return Err(ClientKeyError::UnknownFormat);
    }
    let Archive { keys, certificates } =
        Archive::open(&pfx, password, work).map_err(ClientKeyError::Archive)?;
    let key = only(keys)?;
    Ok((PrivateKey::from_pkcs8(key.expose()).map_err(ClientKeyError::Key)?, certificates))
}

fn only<T>(mut keys: Vec<T>) -> Result<T, ClientKeyError> {
    match keys.len() {
        0 | 1 => keys.pop().ok_or(ClientKeyError::NoKey),
        several => Err(ClientKeyError::SeveralKeys(several)),
    }
}

fn moment(unix: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(unix).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{unix} s after 1970"))
}

impl std::fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientKey")
    }
}

/// The longest text. Key Vault itself stores at most 25 KB for a certificate with its key and chain.
pub const MAX_BYTES: usize = 32 << 10;

/// The first byte of every archive.
const DER_SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests;

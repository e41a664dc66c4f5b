//! Recognises and reads the source: PEM, or PKCS#12 in base64.

use super::{Form, PartsError};
use crate::content::{
    encoding,
    pem::{self, BrokenBlock, CERTIFICATE, PRIVATE_KEY},
    pkcs12::{Archive, MAX_KEYS, Pkcs12Error},
    private_key::{EC_PRIVATE_KEY, PrivateKey, RSA_PRIVATE_KEY},
    work::{TooMuchTogether, Work},
};

/// The keys and certificates of a source, in its order.
pub(super) struct Source {
    pub(super) form: Form,
    pub(super) keys: Vec<PrivateKey>,
    /// DER, not yet parsed; may hold duplicates.
    pub(super) certificates: Vec<Vec<u8>>,
}

pub(super) fn read(value: &str, password: &str, work: &mut Work) -> Result<Source, PartsError> {
    spend(work, (value.len() / BYTES_PER_HASH) as u64)?;
    if pem::is_pem(value) {
        return of_pem(value, work);
    }
    let pfx = encoding::base64(value.trim().as_bytes()).map_err(|_| PartsError::NoCertificateForm)?;
    // A SEQUENCE: other values that happen to be base64 are no archives.
    if pfx.first() != Some(&0x30) {
        return Err(PartsError::NoCertificateForm);
    }
    let archive = Archive::open(&pfx, password, work).map_err(|error| match error {
        Pkcs12Error::WrongPassword(_) | Pkcs12Error::Undecryptable(_) => PartsError::Password(error),
        _ => PartsError::Pkcs12(error),
    })?;
    work.spend_keys(archive.keys.len()).map_err(too_much)?;
    let keys = archive.keys.iter().map(|key| PrivateKey::from_pkcs8(key.expose()));
    let keys = keys.collect::<Result<_, _>>().map_err(PartsError::PrivateKey)?;
    Ok(Source { form: Form::Pkcs12, keys, certificates: archive.certificates })
}

/// Reads the blocks of certificates and private keys. Others are skipped, such as the `EC PARAMETERS` of OpenSSL.
fn of_pem(text: &str, work: &mut Work) -> Result<Source, PartsError> {
    let mut source = Source { form: Form::Pem, keys: Vec::new(), certificates: Vec::new() };
    for block in pem::whole_blocks(text) {
        let block = block.map_err(|BrokenBlock| PartsError::BrokenBlock)?;
        let label = block.label();
        if matches!(label, PRIVATE_KEY | RSA_PRIVATE_KEY | EC_PRIVATE_KEY) {
            work.spend_keys(1).map_err(too_much)?;
        }
        let key = match label {
            CERTIFICATE | X509_CERTIFICATE | X_509_CERTIFICATE => {
                source.certificates.push(block.content().to_vec());
                continue;
            }
            _ if block.is_encrypted() => return Err(PartsError::EncryptedKey),
            ENCRYPTED_PRIVATE_KEY => return Err(PartsError::EncryptedKey),
            PRIVATE_KEY => PrivateKey::from_pkcs8(block.content()),
            RSA_PRIVATE_KEY => PrivateKey::from_pkcs1(block.content()),
            EC_PRIVATE_KEY => PrivateKey::from_sec1(block.content()),
            _ => continue,
        };
        source.keys.push(key.map_err(PartsError::PrivateKey)?);
        if source.keys.len() > MAX_KEYS {
            return Err(PartsError::TooManyKeys { most: MAX_KEYS });
        }
    }
    if source.keys.is_empty() && source.certificates.is_empty() {
        return Err(PartsError::NoCertificateForm);
    }
    Ok(source)
}

/// Spends the work to read a value. A value is taken apart again where entries alternate between more values
/// than are kept.
fn spend(work: &mut Work, hashes: u64) -> Result<(), PartsError> {
    work.spend_hashes(hashes).map_err(too_much)
}

fn too_much(_: TooMuchTogether) -> PartsError {
    PartsError::Pkcs12(Pkcs12Error::TooMuchWorkTogether)
}

/// This many bytes of a value are read in the time of a hash.
const BYTES_PER_HASH: usize = 64;

/// RFC 7468, section 5.1: labels of old tools.
const X509_CERTIFICATE: &str = "X509 CERTIFICATE";
const X_509_CERTIFICATE: &str = "X.509 CERTIFICATE";
/// RFC 7468, section 11.
const ENCRYPTED_PRIVATE_KEY: &str = "ENCRYPTED PRIVATE KEY";

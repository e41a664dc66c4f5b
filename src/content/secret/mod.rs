//! Secrets: plain values, and the certificates that Key Vault keeps as secrets.

use super::{
    chain::{self, ChainOrder},
    encoding,
    error::ContentError,
    pem::{self, CERTIFICATE, CertificatesAndKeys, PRIVATE_KEY, PemText},
    pkcs12::Archive,
    private_key::PrivateKey,
};
use crate::spec::{
    excerpt::Excerpt,
    rendering::{SecretEncoding, SecretFormat},
    sensitive::Sensitive,
};

/// What the operator decides of secrets that back certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateSettings {
    /// `--construct-pem-chain`
    pub order: ChainOrder,
    /// `--write-cert-and-key-in-separate-files`
    pub files: PemFiles,
}

/// How many files a secret that backs a certificate becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PemFiles {
    /// One, with key and certificates.
    #[default]
    Together,
    /// That one, and beside it the certificates and the key in a file each.
    Separate,
}

/// The bytes that a secret becomes.
#[derive(Debug)]
pub struct SecretContent {
    /// All of it.
    pub whole: Sensitive<Vec<u8>>,
    /// Its certificates and keys apart, for [`PemFiles::Separate`].
    pub separate: Option<CertificatesAndKeys>,
}

/// Renders a secret's `value` as the bytes of its files.
///
/// `backing` is the content type of a secret that backs a certificate, one whose answer has a `kid`; empty where
/// the answer has none. It is `None` for a plain secret, which is written as it is whatever its content type.
/// `encoding` is undone last: `Pfx` with `Base64` gives the binary archive.
///
/// # Errors
/// The value is not in `encoding`, or a certificate is of another type than it claims.
pub fn render(
    value: &str,
    backing: Option<&str>,
    format: SecretFormat,
    encoding: SecretEncoding,
    settings: CertificateSettings,
) -> Result<SecretContent, ContentError> {
    let converted = match (backing, format) {
        (None | Some(PEM_FILE), _) | (Some(PKCS12), SecretFormat::Pfx) => None,
        (Some(PKCS12), SecretFormat::Pem) => Some(pkcs12_to_pem(value, settings.order)?),
        (Some(other), _) => {
            return Err(ContentError::UnknownContentType { content_type: Excerpt::of(other) });
        }
    };
    let text = converted.as_ref().map_or(value, PemText::as_str);
    let decode = |text: &str| encoding::decode(text, encoding).map_err(ContentError::Encoding);
    let part = |part: &Sensitive<Vec<u8>>| {
        decode(std::str::from_utf8(part.expose()).expect("blocks of a text, written anew, are text"))
    };
    let separate = match (backing, settings.files) {
        // Compat: also of an archive in base64, which has no PEM blocks and gives two empty files.
        (Some(_), PemFiles::Separate) => {
            let CertificatesAndKeys { certificates, keys } = pem::split(text);
            Some(CertificatesAndKeys { certificates: part(&certificates)?, keys: part(&keys)? })
        }
        (None, _) | (_, PemFiles::Together) => None,
    };
    Ok(SecretContent { whole: decode(text)?, separate })
}

/// Private keys first, then the certificates.
fn pkcs12_to_pem(value: &str, order: ChainOrder) -> Result<PemText, ContentError> {
    let pfx = encoding::base64(value.as_bytes()).map_err(ContentError::Pkcs12Text)?;
    let archive = Archive::open(&pfx).map_err(ContentError::Pkcs12)?;
    let keys = archive
        .keys
        .iter()
        .map(|key| PrivateKey::from_pkcs8(key.expose()).map_err(ContentError::PrivateKey))
        .collect::<Result<Vec<_>, _>>()?;
    let certificates = match order {
        ChainOrder::AsStored => archive.certificates.iter().map(Vec::as_slice).collect(),
        ChainOrder::Construct => {
            let public_keys: Vec<_> = keys.iter().map(PrivateKey::public_key).collect();
            chain::order(&archive.certificates, &public_keys)?
        }
    };

    let mut text = PemText::new();
    for key in &keys {
        text.push_block(PRIVATE_KEY, key.pkcs8());
    }
    for certificate in certificates {
        text.push_block(CERTIFICATE, certificate);
    }
    Ok(text)
}

const PEM_FILE: &str = "application/x-pem-file";
const PKCS12: &str = "application/x-pkcs12";

#[cfg(test)]
mod tests;

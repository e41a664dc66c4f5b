//! Secrets: plain values, and the certificates that Key Vault keeps as secrets.

use super::{
    chain::{self, ChainOrder},
    encoding,
    error::ContentError,
    pem::{CERTIFICATE, PRIVATE_KEY, PemText},
    pkcs12::Archive,
    private_key::PrivateKey,
};
use crate::spec::{
    rendering::{SecretEncoding, SecretFormat},
    sensitive::Sensitive,
};

/// Renders a secret's `value` as the bytes of a file.
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
    order: ChainOrder,
) -> Result<Sensitive<Vec<u8>>, ContentError> {
    match (backing, format) {
        (None | Some(PEM_FILE), _) | (Some(PKCS12), SecretFormat::Pfx) => {
            encoding::decode(value, encoding).map_err(ContentError::Encoding)
        }
        (Some(PKCS12), SecretFormat::Pem) => {
            let text = pkcs12_to_pem(value, order)?;
            encoding::decode(text.as_str(), encoding).map_err(ContentError::Encoding)
        }
        (Some(other), _) => Err(ContentError::UnknownContentType {
            content_type: other.to_owned(),
        }),
    }
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

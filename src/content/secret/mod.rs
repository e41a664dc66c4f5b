//! Secrets: plain values, and the certificates that Key Vault stores as secrets.

use super::{
    chain::{self, ChainOrder},
    encoding::{self, EncodingError},
    error::ContentError,
    pem::{self, CERTIFICATE, CertificatesAndKeys, PRIVATE_KEY, PemText},
    pkcs12::{Archive, Pkcs12Error},
    private_key::PrivateKey,
    work::{TooMuchTogether, Work},
};
use crate::spec::{
    excerpt::Excerpt,
    rendering::{SecretEncoding, SecretFormat},
    sensitive::Sensitive,
};

/// The operator's settings for secrets that back certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateSettings {
    /// `--construct-pem-chain`
    pub order: ChainOrder,
    /// `--write-cert-and-key-in-separate-files`
    pub files: PemFiles,
}

/// The number of files that a certificate's secret becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PemFiles {
    /// One file with keys and certificates.
    #[default]
    Together,
    /// The same file, and beside it one file with the certificates and one with the keys.
    Separate,
}

/// The content of a secret's files.
#[derive(Debug)]
pub struct SecretContent {
    /// The content of the object's own file.
    pub whole: Sensitive<Vec<u8>>,
    /// The separate certificates and keys, for [`PemFiles::Separate`].
    pub separate: Option<SeparateParts>,
}

/// The separate parts of a certificate's secret.
#[derive(Debug)]
pub struct SeparateParts {
    /// The certificates in PEM.
    pub certificates: Result<Sensitive<Vec<u8>>, MissingPart>,
    /// The private keys in PEM.
    pub keys: Result<Sensitive<Vec<u8>>, MissingPart>,
}

/// Why a certificate's secret lacks a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingPart {
    /// The secret has no certificate.
    #[error("the secret has no certificate")]
    Certificate,
    /// The secret has no private key.
    #[error("the secret has no private key")]
    Key,
    /// The secret is an archive that is mounted as it is and cannot be opened.
    #[error("the archive cannot be opened")]
    Unopened(#[source] Box<ContentError>),
}

impl From<CertificatesAndKeys> for SeparateParts {
    fn from(CertificatesAndKeys { certificates, keys }: CertificatesAndKeys) -> Self {
        let part = |part: Sensitive<Vec<u8>>, missing| match part.expose().is_empty() {
            true => Err(missing),
            false => Ok(part),
        };
        Self {
            certificates: part(certificates, MissingPart::Certificate),
            keys: part(keys, MissingPart::Key),
        }
    }
}

/// Converts a secret's `value` to the bytes of its files.
///
/// `backing` is the content type of a secret that backs a certificate, which is a secret with a `kid`; it may be empty.
/// `backing` is `None` for a plain secret, which is written unchanged whatever its content type. The value is decoded
/// from `encoding` last: `Pfx` with `Base64` gives the binary archive.
///
/// # Errors
/// The value is not in `encoding`, or a certificate does not match its content type.
pub fn render(
    value: &str,
    backing: Option<&str>,
    format: SecretFormat,
    encoding: SecretEncoding,
    settings: CertificateSettings,
    work: &mut Work,
) -> Result<SecretContent, ContentError> {
    let converted = match (backing, format) {
        (None | Some(PEM_FILE), _) | (Some(PKCS12), SecretFormat::Pfx) => None,
        (Some(PKCS12), SecretFormat::Pem) => Some(pkcs12_to_pem(value, settings.order, work)?),
        (Some(other), _) => {
            return Err(ContentError::UnknownContentType { content_type: Excerpt::of(other) });
        }
    };
    let text = converted.as_ref().map_or(value, PemText::as_str);
    let whole = encoding::decode(text, encoding).map_err(|error| undecodable(text, format, error))?;
    let separate = match (backing, settings.files) {
        (Some(PKCS12), PemFiles::Separate) if converted.is_none() => {
            Some(parts_of_archive(value, settings.order, work))
        }
        (Some(_), PemFiles::Separate) => Some(pem::split(text).into()),
        (None, _) | (_, PemFiles::Together) => None,
    };
    Ok(SecretContent { whole, separate })
}

/// Returns why a text cannot be decoded: PEM is not in any encoding.
fn undecodable(text: &str, format: SecretFormat, error: EncodingError) -> ContentError {
    match format {
        _ if !pem::is_pem(text) => ContentError::Encoding(error),
        SecretFormat::Pfx => ContentError::PemNotPfx,
        SecretFormat::Pem => ContentError::PemNotEncoded,
    }
}

/// Splits an archive that is mounted as it is. The archive is mounted even if it cannot be opened.
fn parts_of_archive(value: &str, order: ChainOrder, work: &mut Work) -> SeparateParts {
    if pem::is_pem(value) {
        return pem::split(value).into();
    }
    match pkcs12_to_pem(value, order, work) {
        Ok(text) => pem::split(text.as_str()).into(),
        Err(error) => {
            let unopened = || Err(MissingPart::Unopened(Box::new(error.clone())));
            SeparateParts { certificates: unopened(), keys: unopened() }
        }
    }
}

/// Writes the private keys first, and then the certificates.
fn pkcs12_to_pem(value: &str, order: ChainOrder, work: &mut Work) -> Result<PemText, ContentError> {
    let pfx = encoding::base64(value.as_bytes()).map_err(|error| match pem::is_pem(value) {
        true => ContentError::PemNotPkcs12,
        false => ContentError::Pkcs12Text(error),
    })?;
    let archive = Archive::open(&pfx, "", work).map_err(ContentError::Pkcs12)?;
    let too_much = |TooMuchTogether| ContentError::Pkcs12(Pkcs12Error::TooMuchWorkTogether);
    work.spend_keys(archive.keys.len()).map_err(too_much)?;
    let keys = archive
        .keys
        .iter()
        .map(|key| PrivateKey::from_pkcs8(key.expose()).map_err(ContentError::PrivateKey))
        .collect::<Result<Vec<_>, _>>()?;
    let certificates = match order {
        ChainOrder::AsStored => archive.certificates.iter().map(Vec::as_slice).collect(),
        ChainOrder::Construct => {
            let public_keys: Vec<_> = keys.iter().map(PrivateKey::public_key).collect();
            chain::order(&archive.certificates, &public_keys, work)?
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
/// The content type of PKCS#12 in base64.
pub const PKCS12: &str = "application/x-pkcs12";

#[cfg(test)]
mod tests;

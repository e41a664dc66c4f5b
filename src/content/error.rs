//! Errors of an object's content.

use crate::spec::excerpt::Excerpt;

use super::{
    chain::ChainError, combined::CombineError, encoding::EncodingError, jwk::JwkError,
    metadata::MetadataError, parts::PartsError, pkcs12::Pkcs12Error, private_key::PrivateKeyError,
    structured::StructureError,
};

/// Why a value from Key Vault cannot be converted. No variant holds any part of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The value is not in the encoding of `objectEncoding`.
    #[error("cannot decode the secret's value, check objectEncoding")]
    Encoding(#[source] EncodingError),

    /// A structured value is not in the encoding of its entry's `objectEncoding`.
    #[error("cannot decode the secret's value, check objectEncoding")]
    StructuredEncoding(#[source] EncodingError),

    /// A PKCS#12 archive was requested in an encoding, and the value is PEM.
    #[error(
        "objectFormat is pfx, but the vault holds this secret as PEM; leave out objectFormat and objectEncoding, or import \
         the certificate as PKCS#12"
    )]
    PemNotPfx,

    /// `objectEncoding` names an encoding, and the content is PEM.
    #[error(
        "objectEncoding is for encoded text, and this secret becomes PEM; leave out objectEncoding, or set objectFormat: pfx \
         for the archive of a certificate that is PKCS#12"
    )]
    PemNotEncoded,

    /// The certificate's content type is PKCS#12, and the value is PEM.
    #[error(
        "the content type of this certificate is application/x-pkcs12, but the vault holds PEM; import it with content type \
         application/x-pem-file"
    )]
    PemNotPkcs12,

    /// The secret backs a certificate of an unsupported content type.
    #[error(
        "the secret backs a certificate of content type {content_type}, \
         expected application/x-pem-file or application/x-pkcs12"
    )]
    UnknownContentType {
        /// Key Vault's content type; may be empty.
        content_type: Excerpt,
    },

    /// The PKCS#12 text is not base64.
    #[error("cannot decode the base64 text of the certificate's PKCS#12 archive")]
    Pkcs12Text(#[source] EncodingError),

    /// The PKCS#12 archive cannot be opened.
    #[error("cannot open the certificate's PKCS#12 archive")]
    Pkcs12(#[source] Pkcs12Error),

    /// The certificate's private key cannot be written as PKCS#8.
    #[error("cannot convert the certificate's private key to PKCS#8")]
    PrivateKey(#[source] PrivateKeyError),

    /// The PKCS#12 archive holds more certificates than the provider puts in order.
    #[error(
        "the PKCS#12 archive holds {count} certificates, more than the {most} that are put in order, \
         set --construct-pem-chain=false to write them as they are stored"
    )]
    TooManyCertificates {
        /// The number of certificates in the archive.
        count: usize,
        /// The limit.
        most: usize,
    },

    /// Putting the certificates in order takes too many signature checks.
    #[error(
        "the certificates of the PKCS#12 archive need more signature checks than are granted to put them in order, \
         set --construct-pem-chain=false to write them as they are stored"
    )]
    TooManySignatures,

    /// The certificates of all archives of the mount need too many signature checks.
    #[error(
        "the certificates of this mount together need more signature checks than are granted to put them in order; use \
         several volumes, or set --construct-pem-chain=false to write them as they are stored"
    )]
    TooManySignaturesTogether,

    /// The key cannot be written as a public key.
    #[error("cannot convert the key to a PEM public key")]
    Jwk(#[source] JwkError),

    /// The certificate has no X.509 bytes.
    #[error("the certificate has no X.509 content (cer)")]
    EmptyCertificate,

    /// The decoded value holds bytes that are not text.
    #[error("the secret's value is not text, so it has no keys; check objectEncoding")]
    NotText,

    /// The value is not in the syntax of `extract`, or exceeds its bounds.
    #[error("cannot read the keys of the secret's value, check extract")]
    Structure(#[source] StructureError),

    /// The entries of the mount parse structured values too often.
    #[error(
        "the entries of this mount alternate between large structured values, which are parsed again and again; put \
         entries of the same object next to each other, or use several volumes"
    )]
    ParsedTooOften,

    /// The top level of the value has no keys.
    #[error("cannot read the keys of the secret's value, its top level is not a map")]
    NoKeys,

    /// A key's text is not in the encoding of its item.
    #[error("cannot decode key {key}, check objectEncoding of its item")]
    KeyEncoding {
        /// The path of the key in the SecretProviderClass.
        key: Excerpt,
        /// Why the text cannot be decoded.
        source: EncodingError,
    },

    /// A key of the value is too long for a file name.
    #[error("a key of the value is too long for a file name; name the keys under jmesPath")]
    KeyTooLong,

    /// The value has no such parts, or a part cannot be written.
    #[error(transparent)]
    Parts(#[from] PartsError),

    /// The value cannot be a value of a combined file.
    #[error("cannot write key {key}")]
    Combine {
        /// The key of the file.
        key: Excerpt,
        /// Why the format cannot hold the value.
        source: CombineError,
    },

    /// The properties of the version cannot be written.
    #[error("cannot write the metadata")]
    Metadata(#[source] MetadataError),
}

impl ContentError {
    /// Returns whether the object lacks the part that was asked for.
    pub fn is_missing_part(&self) -> bool {
        matches!(self, Self::Parts(PartsError::Missing(_)))
    }
}

impl From<ChainError> for ContentError {
    /// Returns the error of a file with all certificates, which need not be in order.
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::TooManyCertificates { count, most } => Self::TooManyCertificates { count, most },
            ChainError::TooManySignatures => Self::TooManySignatures,
            ChainError::TooManySignaturesTogether => Self::TooManySignaturesTogether,
        }
    }
}

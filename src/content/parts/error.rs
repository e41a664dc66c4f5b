//! Why a secret cannot be taken apart, or a part of it cannot be written.

use crate::content::{
    chain::ChainError,
    pkcs12::{Pkcs12Error, store::StoreError},
    private_key::PrivateKeyError,
};

/// An error of a certificate that is stored as a secret, or of one of its parts. No variant holds any part of the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// The PKCS#12 archive is under another password.
    #[error("cannot open the PKCS#12 archive, check sourcePasswordObject")]
    Password(#[source] Pkcs12Error),

    /// The PKCS#12 archive cannot be opened.
    #[error("cannot open the PKCS#12 archive")]
    Pkcs12(#[source] Pkcs12Error),

    /// A private key is malformed, or has no such structure.
    #[error("cannot convert the private key")]
    PrivateKey(#[source] PrivateKeyError),

    /// The value is in no form in which a certificate is stored.
    #[error(
        "the secret's value is neither PEM with a certificate or a private key nor PKCS#12 in base64, so it has no \
         parts; use content: value, or store the certificate in one of the two forms"
    )]
    NoCertificateForm,

    /// A block of PEM begins, and cannot be read.
    #[error("a PEM block of the value is cut off or not base64; store the whole file")]
    BrokenBlock,

    /// A certificate cannot be parsed.
    #[error("certificate {number} of the value is not X.509, or is damaged; store the certificate unchanged")]
    NotX509 {
        /// The number of the certificate, from 1 in the order of the value.
        number: usize,
    },

    /// The private key in PEM is under a password.
    #[error(
        "the private key is encrypted, and a PEM value has no password; store the key unencrypted, or as PKCS#12"
    )]
    EncryptedKey,

    /// The PEM value holds more private keys than the limit.
    #[error("the secret's value holds more than {most} private keys")]
    TooManyKeys {
        /// The limit.
        most: usize,
    },

    /// No private key fits a certificate.
    #[error("the private key does not fit the certificate; store the key of this certificate")]
    KeyMismatch,

    /// The certificates are too many to find their chain.
    #[error("cannot find the chain of the certificates")]
    Chain(#[source] ChainError),

    /// The source lacks a part.
    #[error(transparent)]
    Missing(#[from] MissingOutput),

    /// DER holds one certificate.
    #[error("the secret has {count} certificates of authorities, and DER holds one; use format: pem")]
    SeveralAuthorities {
        /// The number of certificates.
        count: usize,
    },

    /// A store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A part that a certificate's secret does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MissingOutput {
    /// `key`
    #[error("the secret has no private key")]
    Key,
    /// `leaf`
    #[error("the secret has no certificate of a leaf")]
    Leaf,
    /// `chain`
    #[error("the secret has no intermediate certificate")]
    Chain,
    /// `ca`
    #[error("the secret has no certificate above the leaf")]
    Authority,
}

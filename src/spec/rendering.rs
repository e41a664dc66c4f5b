//! How an object becomes a file.

use std::str::FromStr;

use super::object::ObjectType;

/// A kind of object with the choices that its kind has, so that a key with an encoding cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rendering {
    /// `objectType: secret`
    Secret {
        /// `objectFormat`
        format: SecretFormat,
        /// `objectEncoding`
        encoding: SecretEncoding,
    },
    /// `objectType: key`: the public key in PEM.
    Key,
    /// `objectType: cert`: the certificate in PEM, without its chain.
    Certificate,
}

impl Rendering {
    /// The kind of object.
    pub fn object_type(self) -> ObjectType {
        match self {
            Self::Secret { .. } => ObjectType::Secret,
            Self::Key => ObjectType::Key,
            Self::Certificate => ObjectType::Certificate,
        }
    }
}

/// What a secret that backs a certificate becomes. A plain secret does not care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SecretFormat {
    /// Private key and certificates in PEM.
    #[default]
    Pem,
    /// The PKCS#12 archive as the vault holds it, in base64.
    Pfx,
}

/// How a secret's text becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SecretEncoding {
    /// `utf-8`: as it is.
    #[default]
    Utf8,
    /// `base64`: decoded.
    Base64,
    /// `hex`: decoded.
    Hex,
}

/// An `objectFormat` that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use pem or pfx")]
pub struct UnknownFormat;

impl FromStr for SecretFormat {
    type Err = UnknownFormat;

    /// In any case.
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text.to_ascii_lowercase().as_str() {
            "pem" => Ok(Self::Pem),
            "pfx" => Ok(Self::Pfx),
            _ => Err(UnknownFormat),
        }
    }
}

/// An `objectEncoding` that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use utf-8, base64 or hex")]
pub struct UnknownEncoding;

impl FromStr for SecretEncoding {
    type Err = UnknownEncoding;

    /// In any case.
    fn from_str(text: &str) -> Result<Self, UnknownEncoding> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" => Ok(Self::Utf8),
            "base64" => Ok(Self::Base64),
            "hex" => Ok(Self::Hex),
            _ => Err(UnknownEncoding),
        }
    }
}

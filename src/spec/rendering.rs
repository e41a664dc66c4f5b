//! How an object becomes a file.

use std::str::FromStr;

use super::object::ObjectType;

/// A type of object with the options of that type. A key with an encoding is therefore not representable.
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
    /// Returns the object's type.
    pub fn object_type(self) -> ObjectType {
        match self {
            Self::Secret { .. } => ObjectType::Secret,
            Self::Key => ObjectType::Key,
            Self::Certificate => ObjectType::Certificate,
        }
    }
}

/// The format of a secret that backs a certificate. It does not affect a plain secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SecretFormat {
    /// Private key and certificates in PEM.
    #[default]
    Pem,
    /// The PKCS#12 archive as the vault stores it, in base64.
    Pfx,
}

/// The encoding of a secret's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SecretEncoding {
    /// `utf-8`: the text is not decoded.
    #[default]
    Utf8,
    /// `base64`: the text is decoded.
    Base64,
    /// `hex`: the text is decoded.
    Hex,
}

/// A text is not an `objectFormat`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use pem or pfx")]
pub struct UnknownFormat;

impl FromStr for SecretFormat {
    type Err = UnknownFormat;

    /// Parses a format in any case.
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text.to_ascii_lowercase().as_str() {
            "pem" => Ok(Self::Pem),
            "pfx" => Ok(Self::Pfx),
            _ => Err(UnknownFormat),
        }
    }
}

/// A text is not an `objectEncoding`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use utf-8, base64 or hex")]
pub struct UnknownEncoding;

impl FromStr for SecretEncoding {
    type Err = UnknownEncoding;

    /// Parses an encoding in any case.
    fn from_str(text: &str) -> Result<Self, UnknownEncoding> {
        match text.to_ascii_lowercase().as_str() {
            "utf-8" => Ok(Self::Utf8),
            "base64" => Ok(Self::Base64),
            "hex" => Ok(Self::Hex),
            _ => Err(UnknownEncoding),
        }
    }
}

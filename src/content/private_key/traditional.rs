//! Private keys outside of PKCS#8: PKCS#1 (RFC 8017, appendix A.1.2) and SEC 1 (RFC 5915).

use der::{Decode, oid::ObjectIdentifier};

use super::{PrivateKey, PrivateKeyError, PrivateKeyInfo, elliptic, rsa};
use crate::{
    content::asn1::{EC_PUBLIC_KEY, RSA_ENCRYPTION},
    spec::sensitive::Sensitive,
};

/// A private key in the structure of its algorithm.
#[derive(Debug)]
pub struct Traditional {
    /// The label of its PEM block.
    pub label: &'static str,
    /// DER.
    pub der: Sensitive<Vec<u8>>,
}

impl PrivateKey {
    /// Parses PKCS#1, and normalises the key as [`PrivateKey::from_pkcs8`] does.
    ///
    /// # Errors
    /// The key is malformed, or has more than two primes.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, PrivateKeyError> {
        rsa::normalise(der)
    }

    /// Parses SEC 1, and normalises the key as [`PrivateKey::from_pkcs8`] does.
    ///
    /// # Errors
    /// The key is malformed, or does not name a known curve.
    pub fn from_sec1(der: &[u8]) -> Result<Self, PrivateKeyError> {
        elliptic::normalise(None, der)
    }

    /// Returns the key in PKCS#1 if it is RSA, and in SEC 1 with the name of its curve if it is ECDSA.
    ///
    /// # Errors
    /// The algorithm has no structure of its own.
    pub fn traditional(&self) -> Result<Traditional, PrivateKeyError> {
        let malformed = |_: der::Error| PrivateKeyError::Malformed("PKCS#8 structure");
        let info = PrivateKeyInfo::from_der(self.pkcs8()).map_err(malformed)?;
        match info.algorithm.algorithm {
            RSA_ENCRYPTION => {
                let der = Sensitive::new(info.private_key.as_bytes().to_vec());
                Ok(Traditional { label: RSA_PRIVATE_KEY, der })
            }
            EC_PUBLIC_KEY => {
                let curve = info
                    .algorithm
                    .parameters
                    .and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok())
                    .ok_or(PrivateKeyError::UnnamedCurve)?;
                let der = elliptic::with_curve(info.private_key, curve).map_err(malformed)?;
                Ok(Traditional { label: EC_PRIVATE_KEY, der })
            }
            _ => Err(PrivateKeyError::NotTraditional),
        }
    }
}

/// The label of PKCS#1 in PEM.
pub const RSA_PRIVATE_KEY: &str = "RSA PRIVATE KEY";
/// The label of SEC 1 in PEM (RFC 5915, section 4).
pub const EC_PRIVATE_KEY: &str = "EC PRIVATE KEY";

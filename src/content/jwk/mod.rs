//! JSON Web Keys: public key parameters to PEM.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1,
    EcdsaVerificationAlgorithm, ParsedPublicKey,
};
use der::{
    Encode,
    asn1::{BitStringRef, UintRef},
    oid::ObjectIdentifier,
};

use crate::spec::excerpt::Excerpt;

use super::{
    asn1::{AlgorithmIdentifier, P256, P384, P521, RsaPublicKey, SECP256K1, SubjectPublicKeyInfo},
    pem::{PUBLIC_KEY, PemText},
};

/// The public part of a key bundle, already decoded from base64url (RFC 7518, section 6).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicJwk {
    /// `kty`: `RSA`, `RSA-HSM`, `EC`, `EC-HSM`, `oct` or `oct-HSM`.
    pub kty: String,
    /// `crv`: `P-256`, `P-384`, `P-521` or `P-256K`.
    pub curve: Option<String>,
    /// RSA modulus, big-endian.
    pub n: Option<Vec<u8>>,
    /// RSA public exponent, big-endian.
    pub e: Option<Vec<u8>>,
    /// Elliptic curve point, x coordinate, big-endian.
    pub x: Option<Vec<u8>>,
    /// Elliptic curve point, y coordinate, big-endian.
    pub y: Option<Vec<u8>>,
}

impl PublicJwk {
    /// Returns the length of all parts, in bytes.
    pub fn bytes(&self) -> usize {
        let Self { kty, curve, n, e, x, y } = self;
        let parts = [n, e, x, y].into_iter().flatten().map(Vec::len);
        kty.len() + curve.as_ref().map_or(0, String::len) + parts.sum::<usize>()
    }
}

/// Writes `jwk` as a PEM `PUBLIC KEY` (SubjectPublicKeyInfo).
///
/// # Errors
/// The key is symmetric, of an unknown type or curve, incomplete, or not a key of its type.
pub fn render(jwk: &PublicJwk) -> Result<Vec<u8>, JwkError> {
    let info = match jwk.kty.as_str() {
        "RSA" | "RSA-HSM" => rsa(jwk)?,
        "EC" | "EC-HSM" => elliptic(jwk)?,
        "oct" | "oct-HSM" => return Err(JwkError::Symmetric(jwk.kty.clone())),
        "" => return Err(JwkError::NoType),
        kty => return Err(JwkError::UnknownType(Excerpt::of(kty))),
    };
    let mut text = PemText::new();
    text.push_block(PUBLIC_KEY, &info);
    Ok(text.into_public())
}

/// Why a key cannot be written as a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// A symmetric key has no public part.
    #[error("a key of type {0} is symmetric and has no public key")]
    Symmetric(String),

    /// The key type is empty, and so most likely is the key.
    #[error("the answer holds no key type (kty)")]
    NoType,

    /// The key type is unknown.
    #[error("key type {0} is not supported, expected RSA, RSA-HSM, EC or EC-HSM")]
    UnknownType(Excerpt),

    /// The curve is unknown.
    #[error("curve {0} is not supported, expected P-256, P-384, P-521 or P-256K")]
    UnknownCurve(Excerpt),

    /// A parameter is absent or empty.
    #[error("key of type {kty} lacks its parameter {parameter}")]
    Missing {
        /// The key type.
        kty: String,
        /// The parameter's name in RFC 7518.
        parameter: &'static str,
    },

    /// The modulus is even, or longer than any in use.
    #[error("the RSA modulus is not an odd number of at most {MAX_MODULUS_BITS} bits")]
    Modulus,

    /// The exponent is even or one, or longer than any in use.
    #[error("the RSA public exponent is not an odd number above 1, of at most {MAX_EXPONENT_BITS} bits")]
    Exponent,

    /// The coordinates are too long or off the curve.
    #[error("the coordinates are not a point on curve {0}")]
    Point(&'static str),
}

fn rsa(jwk: &PublicJwk) -> Result<Vec<u8>, JwkError> {
    let modulus = number(parameter(jwk, "n", &jwk.n)?);
    let public_exponent = number(parameter(jwk, "e", &jwk.e)?);
    if modulus.len() > MAX_MODULUS_BITS / 8 || !is_odd(modulus) || modulus == [1] {
        return Err(JwkError::Modulus);
    }
    if public_exponent.len() > MAX_EXPONENT_BITS / 8 || !is_odd(public_exponent) || public_exponent == [1] {
        return Err(JwkError::Exponent);
    }
    let key = RsaPublicKey {
        modulus: UintRef::new(modulus).map_err(|_| JwkError::Modulus)?,
        public_exponent: UintRef::new(public_exponent).map_err(|_| JwkError::Exponent)?,
    };
    let key = key.to_der().map_err(|_| JwkError::Modulus)?;
    subject_public_key_info(AlgorithmIdentifier::RSA, &key).map_err(|_| JwkError::Modulus)
}

fn elliptic(jwk: &PublicJwk) -> Result<Vec<u8>, JwkError> {
    let name = jwk.curve.as_deref().filter(|name| !name.is_empty()).ok_or_else(|| missing(jwk, "crv"))?;
    let curve = Curve::named(name).ok_or_else(|| JwkError::UnknownCurve(Excerpt::of(name)))?;
    let mut point = vec![UNCOMPRESSED];
    for coordinate in [parameter(jwk, "x", &jwk.x)?, parameter(jwk, "y", &jwk.y)?] {
        let coordinate = number(coordinate);
        let padding = curve.length.checked_sub(coordinate.len()).ok_or(JwkError::Point(curve.name))?;
        point.resize(point.len() + padding, 0);
        point.extend_from_slice(coordinate);
    }
    ParsedPublicKey::new(curve.verification, &point).map_err(|_| JwkError::Point(curve.name))?;
    subject_public_key_info(AlgorithmIdentifier::elliptic(&curve.oid), &point)
        .map_err(|_| JwkError::Point(curve.name))
}

struct Curve {
    name: &'static str,
    oid: ObjectIdentifier,
    /// The length of a coordinate, in bytes.
    length: usize,
    verification: &'static EcdsaVerificationAlgorithm,
}

impl Curve {
    fn named(name: &str) -> Option<Self> {
        let (name, oid, length, verification) = match name {
            "P-256" => ("P-256", P256, 32, &ECDSA_P256_SHA256_ASN1),
            "P-384" => ("P-384", P384, 48, &ECDSA_P384_SHA384_ASN1),
            "P-521" => ("P-521", P521, 66, &ECDSA_P521_SHA512_ASN1),
            "P-256K" => ("P-256K", SECP256K1, 32, &ECDSA_P256K1_SHA256_ASN1),
            _ => return None,
        };
        Some(Self { name, oid, length, verification })
    }
}

fn parameter<'a>(
    jwk: &PublicJwk,
    name: &'static str,
    value: &'a Option<Vec<u8>>,
) -> Result<&'a [u8], JwkError> {
    value.as_deref().filter(|bytes| !bytes.is_empty()).ok_or_else(|| missing(jwk, name))
}

fn missing(jwk: &PublicJwk, parameter: &'static str) -> JwkError {
    JwkError::Missing { kty: jwk.kty.clone(), parameter }
}

/// Strips leading zeros from a big-endian number; zero itself becomes empty.
fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    &bytes[zeros..]
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|byte| byte & 1 == 1)
}

fn subject_public_key_info(algorithm: AlgorithmIdentifier<'_>, key: &[u8]) -> der::Result<Vec<u8>> {
    SubjectPublicKeyInfo { algorithm, subject_public_key: BitStringRef::from_bytes(key)? }.to_der()
}

const MAX_MODULUS_BITS: usize = 16384;
/// FIPS 186-5, appendix A.1.1.
const MAX_EXPONENT_BITS: usize = 256;
/// SEC 1, section 2.3.3.
const UNCOMPRESSED: u8 = 4;

#[cfg(test)]
mod tests;

//! Private keys, normalised to one PKCS#8 form.

mod elliptic;
mod rsa;
mod traditional;

pub use self::traditional::{EC_PRIVATE_KEY, RSA_PRIVATE_KEY, Traditional};

use der::{
    Decode, Encode, Reader, Sequence,
    asn1::{AnyRef, OctetStringRef},
    oid::ObjectIdentifier,
};
use zeroize::Zeroizing;

use super::asn1::{AlgorithmIdentifier, EC_PUBLIC_KEY, ED25519, RSA_ENCRYPTION};
use crate::spec::sensitive::Sensitive;

/// A private key in PKCS#8, with its public key.
#[derive(Debug)]
pub struct PrivateKey {
    pkcs8: Sensitive<Vec<u8>>,
    public_key: Vec<u8>,
}

impl PrivateKey {
    /// Parses PKCS#8 (RFC 5208 or RFC 5958) and writes it in canonical form: version 0, no attributes, canonical
    /// algorithm parameters and key body. The body of an elliptic curve key includes the public key.
    ///
    /// Compat: these are the bytes of Go's `x509.MarshalPKCS8PrivateKey`. secp256k1, which Go lacks, follows the
    /// pattern of the other curves.
    ///
    /// # Errors
    /// The key is malformed, or of an algorithm other than RSA, ECDSA and Ed25519.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, PrivateKeyError> {
        let info = AnyRef::from_der(der)
            .and_then(|any| any.sequence(PrivateKeyInfo::read))
            .map_err(|_: der::Error| PrivateKeyError::Malformed("PKCS#8 structure"))?;
        match info.algorithm.algorithm {
            RSA_ENCRYPTION => rsa::normalise(info.private_key.as_bytes()),
            EC_PUBLIC_KEY => elliptic::normalise(info.algorithm.parameters, info.private_key.as_bytes()),
            ED25519 => ed25519(info.private_key.as_bytes()),
            algorithm => Err(PrivateKeyError::UnsupportedAlgorithm(algorithm)),
        }
    }

    /// Returns the key as PKCS#8 DER.
    pub fn pkcs8(&self) -> &[u8] {
        self.pkcs8.expose()
    }

    /// Returns the content of `subjectPublicKey` in a certificate for this key.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Returns the approximate size in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.pkcs8.expose().capacity() + self.public_key.capacity()
    }

    fn assemble(
        algorithm: AlgorithmIdentifier<'_>,
        private_key: &[u8],
        public_key: Vec<u8>,
    ) -> der::Result<Self> {
        let private_key = OctetStringRef::new(private_key)?;
        let pkcs8 = PrivateKeyInfo { version: 0, algorithm, private_key }.to_der()?;
        Ok(Self { pkcs8: Sensitive::new(pkcs8), public_key })
    }
}

/// Why a private key cannot be normalised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// A part of the key does not follow its algorithm's format.
    #[error("the {0} of the private key is malformed")]
    Malformed(&'static str),

    /// The key's algorithm is unknown.
    #[error("the algorithm {0} of the private key is not supported, expected RSA, ECDSA or Ed25519")]
    UnsupportedAlgorithm(ObjectIdentifier),

    /// The key's curve is unknown.
    #[error("the curve {0} of the private key is not supported, expected P-256, P-384, P-521 or secp256k1")]
    UnsupportedCurve(ObjectIdentifier),

    /// The key lists its curve's parameters instead of naming the curve.
    #[error("the private key does not name its curve")]
    UnnamedCurve,

    /// The RSA key has more than two primes.
    #[error("RSA private keys with more than two primes are not supported")]
    MultiPrimeRsa,

    /// Only RSA and ECDSA have a structure outside of PKCS#8.
    #[error("an Ed25519 private key has neither PKCS#1 nor SEC 1, leave out keyEncoding")]
    NotTraditional,

    /// The scalar is zero or not below the order of the curve.
    #[error("the private key is outside the range of its curve")]
    OutOfRange,
}

#[derive(Sequence)]
struct PrivateKeyInfo<'a> {
    version: u8,
    algorithm: AlgorithmIdentifier<'a>,
    private_key: &'a OctetStringRef,
}

impl<'a> PrivateKeyInfo<'a> {
    /// Attributes, the public key and any later fields are ignored.
    fn read<R: Reader<'a>>(reader: &mut R) -> der::Result<Self> {
        let info =
            Self { version: reader.decode()?, algorithm: reader.decode()?, private_key: reader.decode()? };
        skip_rest(reader)?;
        Ok(info)
    }
}

fn skip_rest<'a, R: Reader<'a>>(reader: &mut R) -> der::Result<()> {
    while !reader.is_finished() {
        AnyRef::decode(reader)?;
    }
    Ok(())
}

/// RFC 8410, section 7: the seed in an OCTET STRING of its own, and no parameters.
fn ed25519(body: &[u8]) -> Result<PrivateKey, PrivateKeyError> {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    let malformed = PrivateKeyError::Malformed("Ed25519 seed");
    let seed = <&OctetStringRef>::from_der(body).map_err(|_| malformed.clone())?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| malformed.clone())?;
    let algorithm = AlgorithmIdentifier { algorithm: ED25519, parameters: None };
    let body = Zeroizing::new(seed.to_der().map_err(|_| malformed.clone())?);
    PrivateKey::assemble(algorithm, &body, pair.public_key().as_ref().to_vec()).map_err(|_| malformed)
}

#[cfg(test)]
mod tests;

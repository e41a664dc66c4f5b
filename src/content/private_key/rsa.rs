//! RSA private keys: the body of RFC 8017, appendix A.1.2.

use der::{
    Decode, Encode, Reader, Sequence,
    asn1::{AnyRef, UintRef},
};
use zeroize::Zeroizing;

use super::{PrivateKey, PrivateKeyError, skip_rest};
use crate::content::asn1::{AlgorithmIdentifier, RsaPublicKey};

pub(super) fn normalise(body: &[u8]) -> Result<PrivateKey, PrivateKeyError> {
    let malformed = |_: der::Error| PrivateKeyError::Malformed("RSA body");
    let version = AnyRef::from_der(body)
        .and_then(|any| {
            any.sequence(|reader| {
                let version: u8 = reader.decode()?;
                skip_rest(reader)?;
                Ok(version)
            })
        })
        .map_err(malformed)?;
    if version == MULTI_PRIME {
        return Err(PrivateKeyError::MultiPrimeRsa);
    }
    let key = RsaPrivateKey::from_der(body).map_err(malformed)?;
    if key.version != 0 || key.modulus.as_bytes() == [0] {
        return Err(PrivateKeyError::Malformed("RSA body"));
    }
    let public_key = RsaPublicKey { modulus: key.modulus, public_exponent: key.public_exponent }
        .to_der()
        .map_err(malformed)?;
    let body = Zeroizing::new(key.to_der().map_err(malformed)?);
    PrivateKey::assemble(AlgorithmIdentifier::RSA, &body, public_key).map_err(malformed)
}

#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

const MULTI_PRIME: u8 = 1;

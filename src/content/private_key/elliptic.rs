//! Private keys on elliptic curves: the body of RFC 5915.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair,
};
use der::{
    Decode, Encode, Reader, Sequence, TagNumber,
    asn1::{AnyRef, BitStringRef, ContextSpecific, OctetStringRef},
    oid::ObjectIdentifier,
};
use zeroize::Zeroizing;

use super::{PrivateKey, PrivateKeyError, skip_rest};
use crate::{
    content::asn1::{AlgorithmIdentifier, P256, P384, P521, SECP256K1},
    spec::sensitive::Sensitive,
};

pub(super) fn normalise(parameters: Option<AnyRef<'_>>, body: &[u8]) -> Result<PrivateKey, PrivateKeyError> {
    let malformed = |_: der::Error| PrivateKeyError::Malformed("elliptic curve body");
    let stored = AnyRef::from_der(body).and_then(|any| any.sequence(Stored::read)).map_err(malformed)?;
    if stored.version != VERSION {
        return Err(PrivateKeyError::Malformed("elliptic curve body"));
    }
    let curve_name = parameters
        .or(stored.parameters)
        .and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok())
        .ok_or(PrivateKeyError::UnnamedCurve)?;
    let curve = Curve::named(curve_name).ok_or(PrivateKeyError::UnsupportedCurve(curve_name))?;

    let scalar = curve.scalar(stored.private_key.as_bytes())?;
    let private_key = OctetStringRef::new(&scalar).map_err(malformed)?;
    let alone = EcPrivateKey { version: VERSION, private_key, curve: None, public_key: None };
    let alone = Zeroizing::new(alone.to_der().map_err(malformed)?);
    let pair = EcdsaKeyPair::from_private_key_der(curve.algorithm, &alone)
        .map_err(|_| PrivateKeyError::OutOfRange)?;
    let public_key = pair.public_key().as_ref().to_vec();

    let point = Some(BitStringRef::from_bytes(&public_key).map_err(malformed)?);
    let body = EcPrivateKey { version: VERSION, private_key, curve: None, public_key: point };
    let body = Zeroizing::new(body.to_der().map_err(malformed)?);
    PrivateKey::assemble(AlgorithmIdentifier::elliptic(&curve_name), &body, public_key.clone())
        .map_err(malformed)
}

struct Curve {
    algorithm: &'static EcdsaSigningAlgorithm,
    scalar_length: usize,
}

impl Curve {
    fn named(name: ObjectIdentifier) -> Option<Self> {
        let (algorithm, scalar_length) = match name {
            P256 => (&ECDSA_P256_SHA256_ASN1_SIGNING, 32),
            P384 => (&ECDSA_P384_SHA384_ASN1_SIGNING, 48),
            P521 => (&ECDSA_P521_SHA512_ASN1_SIGNING, 66),
            SECP256K1 => (&ECDSA_P256K1_SHA256_ASN1_SIGNING, 32),
            _ => return None,
        };
        Some(Self { algorithm, scalar_length })
    }

    /// Returns the scalar in the curve's fixed length: some tools drop leading zeros, and some add them.
    fn scalar(&self, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
        let excess = stored.len().saturating_sub(self.scalar_length);
        let (excess, significant) = stored.split_at(excess);
        if excess.iter().any(|&byte| byte != 0) {
            return Err(PrivateKeyError::OutOfRange);
        }
        let mut scalar = Zeroizing::new(vec![0; self.scalar_length]);
        scalar[self.scalar_length - significant.len()..].copy_from_slice(significant);
        Ok(scalar)
    }
}

/// The used part of a stored key. Its public key is ignored, since it may be absent or wrong.
struct Stored<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    parameters: Option<AnyRef<'a>>,
}

impl<'a> Stored<'a> {
    fn read<R: Reader<'a>>(reader: &mut R) -> der::Result<Self> {
        let version = reader.decode()?;
        let private_key = reader.decode()?;
        let parameters = ContextSpecific::<AnyRef<'_>>::decode_explicit(reader, TagNumber(0))?;
        skip_rest(reader)?;
        Ok(Self { version, private_key, parameters: parameters.map(|tagged| tagged.value) })
    }
}

/// Returns the body of a normalised key with the name of its curve, which PKCS#8 holds outside the body.
pub(super) fn with_curve(body: &OctetStringRef, curve: ObjectIdentifier) -> der::Result<Sensitive<Vec<u8>>> {
    let key = EcPrivateKey { curve: Some(curve), ..EcPrivateKey::from_der(body.as_bytes())? };
    key.to_der().map(Sensitive::new)
}

#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    curve: Option<ObjectIdentifier>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

const VERSION: u8 = 1;

//! ASN.1 types that several formats share.

use der::{
    Sequence,
    asn1::{AnyRef, BitStringRef, UintRef},
    oid::ObjectIdentifier,
};

/// `AlgorithmIdentifier` of RFC 5280, section 4.1.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Sequence)]
pub(super) struct AlgorithmIdentifier<'a> {
    pub(super) algorithm: ObjectIdentifier,
    pub(super) parameters: Option<AnyRef<'a>>,
}

impl<'a> AlgorithmIdentifier<'a> {
    /// `rsaEncryption`, with parameters that are NULL and not absent (RFC 3279, section 2.3.1).
    pub(super) const RSA: AlgorithmIdentifier<'static> =
        AlgorithmIdentifier { algorithm: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };

    /// Returns `id-ecPublicKey` on the named curve `curve` (RFC 5480, section 2.1.1).
    pub(super) fn elliptic(curve: &'a ObjectIdentifier) -> Self {
        Self { algorithm: EC_PUBLIC_KEY, parameters: Some(curve.into()) }
    }
}

/// `SubjectPublicKeyInfo` of RFC 5280, section 4.1.2.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Sequence)]
pub(super) struct SubjectPublicKeyInfo<'a> {
    pub(super) algorithm: AlgorithmIdentifier<'a>,
    pub(super) subject_public_key: BitStringRef<'a>,
}

/// `RSAPublicKey` of RFC 8017, appendix A.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Sequence)]
pub(super) struct RsaPublicKey<'a> {
    pub(super) modulus: UintRef<'a>,
    pub(super) public_exponent: UintRef<'a>,
}

pub(super) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

pub(super) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
pub(super) const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");

/// Identifies both keys and signatures (RFC 8410, section 3).
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

pub(super) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
pub(super) const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
pub(super) const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

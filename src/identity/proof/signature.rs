//! The signature algorithms of service-account tokens, and public keys that each verify one of them.

use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{
    Algorithm, DecodingKey, crypto,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};

/// The algorithms with which Kubernetes signs service-account tokens: one for each type of key
/// (<https://github.com/kubernetes/kubernetes/blob/master/pkg/serviceaccount/jwt.go>).
///
/// There is no `none` and no HMAC among them, so no key can be used for either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignatureAlgorithm {
    Rs256,
    Es256,
    Es384,
    Es512,
}

impl SignatureAlgorithm {
    /// Returns the algorithm with this name in a header or a key (RFC 7518, section 3.1).
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "ES512" => Some(Self::Es512),
            _ => None,
        }
    }

    /// Returns the only algorithm for which Kubernetes uses keys of this type.
    fn of(key: &Jwk) -> Option<Self> {
        match &key.algorithm {
            AlgorithmParameters::RSA(_) => Some(Self::Rs256),
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => Some(Self::Es256),
                EllipticCurve::P384 => Some(Self::Es384),
                EllipticCurve::P521 => Some(Self::Es512),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A public key of an issuer, for one algorithm.
#[derive(Clone)]
pub(super) struct PublicKey {
    pub(super) algorithm: SignatureAlgorithm,
    key: DecodingKey,
}

impl PublicKey {
    /// Returns a published key; `None` if it is for another purpose or another algorithm.
    pub(super) fn of(jwk: &Jwk) -> Option<Self> {
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let algorithm = SignatureAlgorithm::of(jwk)?;
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { algorithm, key })
    }

    /// Returns whether the key's owner signed `message`. The signature is in base64url without padding.
    pub(super) fn verifies(&self, message: &str, signature: &str) -> bool {
        let algorithm = match self.algorithm {
            SignatureAlgorithm::Rs256 => Algorithm::RS256,
            SignatureAlgorithm::Es256 => Algorithm::ES256,
            SignatureAlgorithm::Es384 => Algorithm::ES384,
            SignatureAlgorithm::Es512 => return self.verifies_es512(message, signature),
        };
        crypto::verify(signature, message.as_bytes(), &self.key, algorithm).unwrap_or(false)
    }

    /// Verifies an ES512 signature, which jsonwebtoken does not know.
    fn verifies_es512(&self, message: &str, signature: &str) -> bool {
        let (Ok(point), Ok(signature)) =
            (self.key.try_get_as_bytes(), BASE64URL_NOPAD.decode(signature.as_bytes()))
        else {
            return false;
        };
        let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point);
        key.verify(message.as_bytes(), &signature).is_ok()
    }
}

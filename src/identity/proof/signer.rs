//! Keys of an issuer, and tokens that they sign, for tests.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    },
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

/// A key of an issuer.
pub(super) enum Signer {
    Rsa(Box<RsaKeyPair>),
    Ec { pair: EcdsaKeyPair, curve: &'static str, algorithm: &'static str },
}

impl Signer {
    pub(super) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub(super) fn ec(curve: &'static str) -> Self {
        let (signing, algorithm) = match curve {
            "P-256" => (&ECDSA_P256_SHA256_FIXED_SIGNING, "ES256"),
            "P-384" => (&ECDSA_P384_SHA384_FIXED_SIGNING, "ES384"),
            _ => (&ECDSA_P521_SHA512_FIXED_SIGNING, "ES512"),
        };
        Self::Ec { pair: EcdsaKeyPair::generate(signing).unwrap(), curve, algorithm }
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec { algorithm, .. } => algorithm,
        }
    }

    /// Returns the public key as an issuer publishes it.
    pub(super) fn jwk(&self, id: &str) -> Value {
        let mut jwk = json!({ "use": "sig", "alg": self.algorithm(), "kid": id });
        match self {
            Self::Rsa(pair) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                jwk["kty"] = "RSA".into();
                jwk["n"] = BASE64URL_NOPAD.encode(&n).into();
                jwk["e"] = BASE64URL_NOPAD.encode(&e).into();
            }
            Self::Ec { pair, curve, .. } => {
                // An uncompressed point: its form in one byte, and both coordinates.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                jwk["kty"] = "EC".into();
                jwk["crv"] = (*curve).into();
                jwk["x"] = BASE64URL_NOPAD.encode(x).into();
                jwk["y"] = BASE64URL_NOPAD.encode(y).into();
            }
        }
        jwk
    }

    /// Returns a token with this header and these claims.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec { pair, .. } => {
                pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

//! JSON Web Signatures (RFC 7515) in compact form, RS256 only: the tokens of Entra and of a cluster's issuer.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize, PublicKeyComponents},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey},
};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::ids::derived_uuid;

/// An RSA-2048 key that signs tokens.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pair: KeyPair,
    key_id: String,
    header: String,
    jwk: Value,
}

impl SigningKey {
    pub(crate) fn generate() -> Self {
        let pair =
            KeyPair::generate(KeySize::Rsa2048).expect("2048 bits is a size that the library generates");
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let modulus = BASE64URL_NOPAD.encode(&n);
        let key_id = derived_uuid(&modulus);
        let header = json!({ "alg": "RS256", "kid": key_id, "typ": "JWT" });
        let jwk = json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id,
            "n": modulus, "e": BASE64URL_NOPAD.encode(&e),
        });
        Self { pair, key_id, header: BASE64URL_NOPAD.encode(header.to_string().as_bytes()), jwk }
    }

    /// Returns the public key to publish.
    pub(crate) fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Returns the key set to publish (RFC 7517).
    pub(crate) fn key_set(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    pub(crate) fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(crate) fn sign(&self, claims: &impl Serialize) -> String {
        let claims = serde_json::to_vec(claims).expect("claims are strings and numbers");
        let mut token = format!("{}.{}", self.header, BASE64URL_NOPAD.encode(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .expect("the buffer has the length of the modulus");
        token.push('.');
        BASE64URL_NOPAD.encode_append(&signature, &mut token);
        token
    }

    /// Returns whether this key signed the token.
    pub(crate) fn signed<C>(&self, token: &Token<'_, C>) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref())
            .verify(token.signed.as_bytes(), &token.signature)
            .is_ok()
    }
}

/// The public RSA keys of an issuer, by key id (RFC 7517).
#[derive(Clone, Debug)]
pub(crate) struct PublicKeys(Vec<PublicKey>);

#[derive(Clone, Debug)]
struct PublicKey {
    key_id: Option<String>,
    components: PublicKeyComponents<Vec<u8>>,
}

/// The keys of an issuer do not verify a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unverified {
    /// No key of the issuer has the token's key id.
    UnknownKey,
    /// The key with that id did not sign the token.
    BadSignature,
}

impl PublicKeys {
    /// Parses a key set. Returns `None` if it is not one, or has no RSA key.
    pub(crate) fn parse(key_set: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct KeySet {
            keys: Vec<Jwk>,
        }
        #[derive(Deserialize)]
        struct Jwk {
            kty: String,
            kid: Option<String>,
            n: Option<String>,
            e: Option<String>,
        }
        let key_set: KeySet = serde_json::from_str(key_set).ok()?;
        let number = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).ok();
        let keys: Vec<_> = key_set
            .keys
            .into_iter()
            .filter(|jwk| jwk.kty == "RSA")
            .map(|jwk| {
                let components = PublicKeyComponents { n: number(&jwk.n?)?, e: number(&jwk.e?)? };
                Some(PublicKey { key_id: jwk.kid, components })
            })
            .collect::<Option<_>>()?;
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Verifies a token with the key that its header names.
    pub(crate) fn verify<C>(&self, token: &Token<'_, C>) -> Result<(), Unverified> {
        let key = self.0.iter().find(|key| key.key_id == token.key_id).ok_or(Unverified::UnknownKey)?;
        key.components
            .verify(&RSA_PKCS1_2048_8192_SHA256, token.signed.as_bytes(), &token.signature)
            .map_err(|_| Unverified::BadSignature)
    }
}

/// A parsed token, whose signature is not verified yet.
#[derive(Debug)]
pub(crate) struct Token<'a, C> {
    pub(crate) claims: C,
    pub(crate) key_id: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a, C: DeserializeOwned> Token<'a, C> {
    /// Parses a token; `None` means that it is not an RS256 token with these claims.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Header {
            alg: String,
            kid: Option<String>,
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = decode(header)?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        let claims = decode(claims)?;
        (header.alg == "RS256").then_some(Self { claims, key_id: header.kid, signed, signature })
    }
}

/// Parses a part of a token.
pub(crate) fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signing_key_verifies_its_token() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let token = key.sign(&json!({ "sub": "a" }));
        let parsed = Token::<Value>::parse(&token).expect("a token of ours is well formed");
        assert_eq!(parsed.claims["sub"], "a");
        assert_eq!(parsed.key_id.as_deref(), Some(key.key_id()));
        assert!(key.signed(&parsed));
        assert!(!other.signed(&parsed));
    }

    #[test]
    fn a_published_key_set_verifies_what_its_key_signed() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let token = key.sign(&json!({ "sub": "a" }));
        let token = Token::<Value>::parse(&token).expect("a token of ours is well formed");
        let keys = |set: &Value| PublicKeys::parse(&set.to_string()).expect("it is a key set");
        assert_eq!(keys(&key.key_set()).verify(&token), Ok(()));
        assert_eq!(keys(&other.key_set()).verify(&token), Err(Unverified::UnknownKey));
        let mut swapped = other.key_set();
        swapped["keys"][0]["kid"] = json!(key.key_id());
        assert_eq!(keys(&swapped).verify(&token), Err(Unverified::BadSignature));
    }

    #[test]
    fn a_key_set_without_a_usable_rsa_key_is_refused() {
        for (label, text) in [
            ("empty", ""),
            ("no keys", r#"{"keys": []}"#),
            ("elliptic curves only", r#"{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}"#),
            ("no modulus", r#"{"keys": [{"kty": "RSA", "e": "AQAB"}]}"#),
            ("not base64url", r#"{"keys": [{"kty": "RSA", "n": "+", "e": "AQAB"}]}"#),
        ] {
            assert!(PublicKeys::parse(text).is_none(), "{label}");
        }
    }

    #[test]
    fn altered_claims_lose_the_signature() {
        let key = SigningKey::generate();
        let token = key.sign(&json!({ "sub": "a" }));
        let forged = BASE64URL_NOPAD.encode(br#"{"sub":"b"}"#);
        let parts: Vec<_> = token.split('.').collect();
        let forged = format!("{}.{forged}.{}", parts[0], parts[2]);
        assert!(!key.signed(&Token::<Value>::parse(&forged).expect("it is still well formed")));
    }

    #[test]
    fn tokens_of_another_form_are_refused() {
        let none = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
        for (label, token) in [
            ("empty", String::new()),
            ("two parts", "a.b".into()),
            ("not base64", "x.y.z".into()),
            ("no algorithm", format!("{none}.e30.")),
        ] {
            assert!(Token::<Value>::parse(&token).is_none(), "{label}");
        }
    }
}

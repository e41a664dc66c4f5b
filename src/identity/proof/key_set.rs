//! The keys that an issuer publishes (RFC 7517).

use std::{collections::HashMap, fmt};

use jsonwebtoken::jwk::Jwk;
use serde::Deserialize;
use serde_json::Value;

use super::signature::PublicKey;

/// The longest discovery document and key set, in bytes. An issuer publishes two or three keys of half a kilobyte.
pub const MAX_DOCUMENT_BYTES: usize = 64 << 10;

/// The most keys of an issuer.
pub const MAX_KEYS: usize = 64;

/// The longest id of a key, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;

/// The keys of an issuer that can verify service-account tokens, by their id.
#[derive(Clone, Default)]
pub struct KeySet(HashMap<String, PublicKey>);

/// A document is not usable as a key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is too long.
    #[error("it is longer than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    /// It is not a JSON object with a list of keys.
    #[error("it is not a JSON Web Key Set")]
    NotAKeySet,
    /// It has too many keys.
    #[error("it has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// It has no key that can verify a service-account token.
    #[error("it has no key with an id for RS256, ES256, ES384 or ES512")]
    NoUsableKey,
}

impl KeySet {
    /// Parses a key set. Keys for other purposes, and keys that cannot be read, are left out. If two keys have the same
    /// id, the first one counts.
    ///
    /// # Errors
    /// The document is not a key set, is too large, or has no usable key.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(KeySetError::TooLong);
        }
        let Document { keys } = serde_json::from_slice(document).map_err(|_| KeySetError::NotAKeySet)?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut usable = HashMap::new();
        for (id, key) in keys.into_iter().filter_map(usable_key) {
            usable.entry(id).or_insert(key);
        }
        if usable.is_empty() { Err(KeySetError::NoUsableKey) } else { Ok(Self(usable)) }
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, id: &str) -> Option<&PublicKey> {
        self.0.get(id)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

fn usable_key(key: Value) -> Option<(String, PublicKey)> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let id = jwk.common.key_id.clone().filter(|id| (1..=MAX_KEY_ID_BYTES).contains(&id.len()))?;
    Some((id, PublicKey::of(&jwk)?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(keys: Value) -> Result<usize, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.len())
    }

    fn rsa(id: &str) -> Value {
        json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": "AQAB", "e": "AQAB" })
    }

    fn ec(id: &str, curve: &str) -> Value {
        json!({ "kty": "EC", "kid": id, "crv": curve, "x": "AQ", "y": "AQ" })
    }

    #[test]
    fn keys_that_kubernetes_signs_with_are_kept_and_no_other() {
        assert_eq!(parse(json!([rsa("a"), ec("b", "P-256"), ec("c", "P-384"), ec("d", "P-521")])), Ok(4));
        let mut encryption = rsa("a");
        encryption["use"] = "enc".into();
        let mut anonymous = rsa("a");
        anonymous.as_object_mut().unwrap().remove("kid");
        for (what, key) in [
            ("a shared secret", json!({ "kty": "oct", "kid": "a", "k": "AQAB", "alg": "HS256" })),
            ("another curve", json!({ "kty": "OKP", "kid": "a", "crv": "Ed25519", "x": "AQ" })),
            ("a key for encryption", encryption),
            ("a key without an id", anonymous),
            ("an empty id", rsa("")),
            ("an id that is too long", rsa(&"a".repeat(MAX_KEY_ID_BYTES + 1))),
            ("an unknown type", json!({ "kty": "new", "kid": "a" })),
            ("no object", json!(5)),
        ] {
            assert_eq!(parse(json!([key])), Err(KeySetError::NoUsableKey), "{what}");
            assert_eq!(parse(json!([key, rsa("b")])), Ok(1), "{what} leaves the other keys");
        }
    }

    #[test]
    fn the_first_of_two_keys_with_one_id_counts() {
        let document = json!({ "keys": [rsa("a"), ec("a", "P-256")] }).to_string();
        let keys = KeySet::parse(document.as_bytes()).unwrap();
        let algorithm = keys.get("a").map(|key| key.algorithm);
        assert_eq!(algorithm, Some(super::super::signature::SignatureAlgorithm::Rs256));
    }

    #[test]
    fn a_key_set_is_bounded_in_size_and_number() {
        let numbered = |count: usize| (0..count).map(|id| rsa(&id.to_string())).collect::<Vec<_>>();
        assert_eq!(parse(json!(numbered(MAX_KEYS))), Ok(MAX_KEYS));
        assert_eq!(parse(json!(numbered(MAX_KEYS + 1))), Err(KeySetError::TooManyKeys));
        let mut document = json!({ "keys": [rsa("a")] }).to_string().into_bytes();
        document.resize(MAX_DOCUMENT_BYTES, b' ');
        assert!(KeySet::parse(&document).is_ok());
        document.push(b' ');
        assert_eq!(KeySet::parse(&document).map(|_| ()), Err(KeySetError::TooLong));
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert_eq!(KeySet::parse(text.as_bytes()).map(|_| ()), Err(KeySetError::NotAKeySet), "{text}");
        }
    }
}

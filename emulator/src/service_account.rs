//! The cluster's service-account issuer: issues tokens as for kubelet, and publishes its keys.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    answer::Answer,
    clock::Clock,
    cloud::ISSUER,
    directory::{BINDING_AUDIENCE, ENTRA_AUDIENCE},
    ids::{derived_uuid, random_uuid},
    jws::SigningKey,
    route::RequestHead,
};

/// The cluster's signing keys and clock.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// The published keys. The first one signs.
    keys: RwLock<Vec<Arc<SigningKey>>>,
    clock: Clock,
}

/// What a rotation does with the keys that were published before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormerKeys {
    /// They stay published, so their tokens stay valid.
    Published,
    /// They are withdrawn, and their tokens with them.
    Withdrawn,
}

/// The claims that Entra checks.
#[derive(Debug, Deserialize)]
pub(crate) struct Assertion {
    #[serde(default)]
    pub(crate) iss: String,
    #[serde(default)]
    pub(crate) sub: String,
    #[serde(default)]
    pub(crate) aud: Audience,
    #[serde(default)]
    pub(crate) nbf: i64,
    #[serde(default)]
    pub(crate) exp: i64,
}

/// `aud`: one text or several (RFC 7519, section 4.1.3).
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Issuer {
    pub(crate) fn new(key: Arc<SigningKey>, clock: Clock) -> Self {
        Self { keys: RwLock::new(vec![key]), clock }
    }

    /// Signs with a new key from now on.
    pub(crate) fn rotate(&self, former: FormerKeys) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if former == FormerKeys::Withdrawn {
            keys.clear();
        }
        keys.insert(0, Arc::new(SigningKey::generate()));
    }

    /// Returns a published key.
    pub(crate) fn key(&self, id: &str) -> Option<Arc<SigningKey>> {
        self.published().into_iter().find(|key| key.key_id() == id)
    }

    /// Returns the key set to publish (RFC 7517).
    pub(crate) fn key_set(&self) -> Value {
        json!({ "keys": self.published().iter().map(|key| key.jwk()).collect::<Vec<_>>() })
    }

    /// Signs a token with any claims.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> String {
        self.published().first().map(|key| key.sign(claims)).unwrap_or_default()
    }

    fn published(&self) -> Vec<Arc<SigningKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Issues a token for one audience.
    pub(crate) fn token(&self, namespace: &str, name: &str, audience: &str, validity: Validity) -> String {
        #[derive(Serialize)]
        struct Claims<'a> {
            aud: [&'a str; 1],
            exp: i64,
            iat: i64,
            iss: &'a str,
            jti: String,
            #[serde(rename = "kubernetes.io")]
            kubernetes: Value,
            nbf: i64,
            sub: String,
        }
        let (from, until) = validity.bounds(self.clock.unix());
        let kubernetes = json!({
            "namespace": namespace,
            "node": { "name": "emulated-node", "uid": derived_uuid("emulated-node") },
            "pod": { "name": name, "uid": derived_uuid(&format!("pod {namespace}/{name}")) },
            "serviceaccount": { "name": name, "uid": derived_uuid(&format!("account {namespace}/{name}")) },
        });
        self.sign(&Claims {
            aud: [audience],
            exp: until,
            iat: from,
            iss: ISSUER,
            jti: random_uuid(),
            kubernetes,
            nbf: from,
            sub: format!("system:serviceaccount:{namespace}:{name}"),
        })
    }

    /// Returns `csi.storage.k8s.io/serviceAccount.tokens` as the driver passes it: a token for each audience.
    pub(crate) fn tokens(&self, namespace: &str, name: &str, validity: Validity) -> String {
        let (_, until) = validity.bounds(self.clock.unix());
        let until = OffsetDateTime::from_unix_timestamp(until).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let expiry = until.format(&Rfc3339).expect("a time of this century has an RFC 3339 form");
        let tokens: Map<_, _> = AUDIENCES
            .iter()
            .map(|audience| {
                let token = self.token(namespace, name, audience, validity);
                ((*audience).to_owned(), json!({ "token": token, "expirationTimestamp": expiry }))
            })
            .collect();
        Value::Object(tokens).to_string()
    }

    pub(crate) fn answer(&self, head: &RequestHead) -> Answer {
        if head.method != Method::GET {
            return Answer::text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
        }
        match head.path.as_str() {
            "/.well-known/openid-configuration" => Answer::json(
                StatusCode::OK,
                &json!({
                    "issuer": ISSUER,
                    "jwks_uri": format!("https://{}/openid/v1/jwks", head.host),
                    "response_types_supported": ["id_token"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }),
            ),
            "/openid/v1/jwks" => Answer::json(StatusCode::OK, &self.key_set()),
            _ => Answer::text(StatusCode::NOT_FOUND, "not found\n"),
        }
    }
}

/// The validity period of a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Validity {
    /// Valid from now on, for this duration.
    For(Duration),
    /// It was valid for an hour, and expired this long ago.
    ExpiredFor(Duration),
}

impl Validity {
    fn bounds(self, now: i64) -> (i64, i64) {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 4);
        match self {
            Self::For(lifetime) => (now, now + seconds(lifetime)),
            Self::ExpiredFor(ago) => (now - seconds(ago) - 3600, now - seconds(ago)),
        }
    }
}

impl Audience {
    pub(crate) fn has(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one == audience,
            Self::Several(several) => several.iter().any(|one| one == audience),
        }
    }

    /// Returns the audience as Entra's messages show it.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::One(one) => one.clone(),
            Self::Several(several) => several.join(","),
        }
    }
}

impl Default for Audience {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// The audiences of the driver's token requests in the emulated cluster.
pub(crate) const AUDIENCES: &[&str] = &[
    ENTRA_AUDIENCE,
    BINDING_AUDIENCE,
    "https://kubernetes.default.svc.cluster.local",
    "sts.amazonaws.com",
    "vault",
];

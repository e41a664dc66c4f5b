//! Entra's access tokens: issued for clients, checked by the vaults.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    directory::Identity,
    ids::random,
    jws::{SigningKey, Token},
};

/// The tenant's signing key, and the tokens that were verified before.
#[derive(Debug)]
pub(crate) struct AccessTokens {
    key: Arc<SigningKey>,
    /// Avoids an RSA verification for each request to a vault.
    genuine: Mutex<HashMap<Box<str>, Arc<Claims>>>,
}

/// What a token is issued for.
#[derive(Debug)]
pub(crate) struct Grant<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) identity: &'a Identity,
    pub(crate) resource: &'a str,
    /// True for a managed identity, false for an application.
    pub(crate) managed: bool,
    pub(crate) now: i64,
    /// Seconds.
    pub(crate) lifetime: i64,
}

/// The claims of a version 1.0 access token
/// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) aud: String,
    pub(crate) iss: String,
    iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    aio: String,
    pub(crate) appid: String,
    appidacr: String,
    idp: String,
    idtyp: String,
    pub(crate) oid: String,
    sub: String,
    pub(crate) tid: String,
    uti: String,
    ver: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    xms_mirid: Option<String>,
}

impl AccessTokens {
    pub(crate) fn new(key: Arc<SigningKey>) -> Self {
        Self { key, genuine: Mutex::default() }
    }

    pub(crate) fn key_set(&self) -> Value {
        self.key.key_set()
    }

    pub(crate) fn issue(&self, grant: &Grant<'_>) -> String {
        let Grant { tenant, identity, resource, managed, now, lifetime } = *grant;
        let issuer = issuer_of(tenant);
        let claims = Claims {
            aud: resource.to_owned(),
            iss: issuer.clone(),
            iat: now,
            nbf: now,
            exp: now.saturating_add(lifetime),
            aio: BASE64URL_NOPAD.encode(&random::<24>()),
            appid: identity.client_id.clone(),
            appidacr: if managed { "2" } else { "1" }.to_owned(),
            idp: issuer,
            idtyp: "app".to_owned(),
            oid: identity.object_id.clone(),
            sub: identity.object_id.clone(),
            tid: tenant.to_owned(),
            uti: BASE64URL_NOPAD.encode(&random::<16>()),
            ver: "1.0".to_owned(),
            xms_mirid: identity.resource_id.clone().filter(|_| managed),
        };
        let token = self.key.sign(&claims);
        self.remember(&token, Arc::new(claims));
        token
    }

    /// Returns the claims of a token that this tenant's key signed.
    pub(crate) fn genuine(&self, token: &str) -> Option<Arc<Claims>> {
        if let Some(claims) = self.lock().get(token) {
            return Some(Arc::clone(claims));
        }
        let parsed = Token::<Claims>::parse(token)?;
        if !self.key.signed(&parsed) {
            return None;
        }
        let claims = Arc::new(parsed.claims);
        self.remember(token, Arc::clone(&claims));
        Some(claims)
    }

    fn remember(&self, token: &str, claims: Arc<Claims>) {
        let mut genuine = self.lock();
        if genuine.len() >= REMEMBERED {
            genuine.clear();
        }
        genuine.insert(token.into(), claims);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Arc<Claims>>> {
        self.genuine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns `iss` of a tenant's version 1.0 tokens.
pub(crate) fn issuer_of(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

const REMEMBERED: usize = 10_000;

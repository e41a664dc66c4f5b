//! Authentication and authorization of callers.

use super::{
    KeyVault, Target,
    errors::{Unauthorized, VaultError},
};
use crate::{
    access_token::issuer_of,
    directory::{RESOURCE_GROUP, SUBSCRIPTION},
};

/// The principal of an accepted token.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) client_id: String,
    object_id: String,
    issuer: String,
}

impl KeyVault<'_> {
    /// Accepts a token that this tenant's Entra signed for this cloud's Key Vault, and that is valid now.
    pub(super) fn authenticate(
        &self,
        tenant: &str,
        authorization: Option<&str>,
    ) -> Result<Caller, Unauthorized> {
        let token = authorization.and_then(bearer).ok_or(Unauthorized::NoToken)?;
        let claims = self.tokens.genuine(token).ok_or(Unauthorized::NotGenuine)?;
        let now = self.clock.unix();
        if now < claims.nbf || now >= claims.exp {
            return Err(Unauthorized::NotNow);
        }
        if claims.aud.trim_end_matches('/') != self.cloud.resource() {
            return Err(Unauthorized::WrongAudience {
                expected: self.cloud.resource(),
                found: claims.aud.clone(),
            });
        }
        if !claims.tid.eq_ignore_ascii_case(tenant) {
            return Err(Unauthorized::WrongTenant { expected: issuer_of(tenant), found: claims.iss.clone() });
        }
        Ok(Caller {
            client_id: claims.appid.clone(),
            object_id: claims.oid.clone(),
            issuer: claims.iss.clone(),
        })
    }

    pub(super) fn authorize(&self, caller: &Caller, target: &Target<'_>) -> Result<(), VaultError> {
        let (action, path) = (target.action(), target.resource_path());
        if self.directory.permits(&caller.client_id, self.vault, action)
            && !self.directory.denies(&caller.client_id, self.vault, target.read())
        {
            return Ok(());
        }
        let Caller { client_id, object_id, issuer } = caller;
        Err(VaultError::ForbiddenByRbac {
            caller: format!("appid={client_id};oid={object_id};iss={issuer}"),
            action: action.name(),
            resource: format!(
                "/subscriptions/{SUBSCRIPTION}/resourcegroups/{RESOURCE_GROUP}/providers/microsoft.keyvault/vaults/{}\
                 {path}",
                self.vault
            ),
            vault: self.vault.to_owned(),
        })
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

//! The principal in a token.

use azure_core::{credentials::AccessToken, http::Url};
use serde::Deserialize;

use crate::spec::{identity::IdentityMode, principal::Principal};

use super::jwt;

/// Returns the principal of `token`, from its claims `tid` and `oid`
/// (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>).
///
/// The token comes from the authority itself, over a connection that the provider opened, so its claims need no other
/// proof. Never pass a token that came with a request. Returns `None` if the token has no such claims, as with AD FS.
/// Also returns `None` for pod identity, since NMI gives its token to any client that names a pod.
pub fn of(token: &AccessToken, identity: &IdentityMode, authority: &Url) -> Option<Principal> {
    if matches!(identity, IdentityMode::PodIdentity) {
        return None;
    }
    let claims: Claims = jwt::decode_unverified(token.token.secret())?;
    (is_guid(&claims.tid) && is_guid(&claims.oid))
        .then(|| Principal::new(authority.as_str(), &claims.tid, &claims.oid))
}

fn is_guid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match dashes.contains(&place) {
            true => byte == b'-',
            false => byte.is_ascii_hexdigit(),
        })
}

#[derive(Deserialize)]
struct Claims {
    tid: String,
    oid: String,
}

#[cfg(test)]
mod tests {
    use azure_core::time::OffsetDateTime;
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    const OBJECT: &str = "aaaaaaaa-0000-0000-0000-00000000000A";

    fn found(token: String, identity: &IdentityMode, authority: &str) -> Option<Principal> {
        of(&AccessToken::new(token, OffsetDateTime::UNIX_EPOCH), identity, &authority.parse().unwrap())
    }

    fn token(claims: &str) -> String {
        format!("header.{}.signature", BASE64URL_NOPAD.encode(claims.as_bytes()))
    }

    #[test]
    fn tenant_object_and_authority_make_a_principal() {
        let node = IdentityMode::ManagedIdentity { user_assigned: None };
        let claims = |tid: &str, oid: &str| token(&format!(r#"{{"tid":"{tid}","oid":"{oid}","aud":"x"}}"#));
        let own = found(claims(TENANT, OBJECT), &node, "https://login.microsoftonline.com/");
        assert!(own.is_some());
        assert_eq!(
            found(claims(TENANT, &OBJECT.to_lowercase()), &node, "https://login.microsoftonline.com/"),
            own
        );
        for (other, authority) in [
            (claims(TENANT, TENANT), "https://login.microsoftonline.com/"),
            (claims(OBJECT, OBJECT), "https://login.microsoftonline.com/"),
            (claims(TENANT, OBJECT), "https://login.stack.example/"),
        ] {
            let other = found(other, &node, authority);
            assert!(other.is_some() && other != own, "{other:?}");
        }
        assert_eq!(found(claims(TENANT, OBJECT), &IdentityMode::PodIdentity, "https://l/"), None);
    }

    #[test]
    fn a_token_without_such_claims_is_nobodys() {
        let node = IdentityMode::ManagedIdentity { user_assigned: None };
        for text in [
            String::new(),
            "opaque".to_owned(),
            "a.b.c".to_owned(),
            token("{}"),
            token("[]"),
            token(&format!(r#"{{"tid":"{TENANT}"}}"#)),
            token(&format!(r#"{{"tid":"{TENANT}","oid":""}}"#)),
            token(&format!(r#"{{"tid":"{TENANT}","oid":5}}"#)),
            token(&format!(r#"{{"tid":"{TENANT}","oid":"aaaaaaaa-0000-0000-0000-00000000000g"}}"#)),
        ] {
            assert_eq!(found(text.clone(), &node, "https://l/"), None, "{text}");
        }
    }
}

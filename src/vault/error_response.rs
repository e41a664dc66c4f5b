//! Error responses of vaults.

use std::fmt;

use azure_core::http::{
    RawResponse,
    headers::{HeaderName, Headers},
};
use serde::Deserialize;

use crate::{
    text::{ServiceText, one_line},
    transport::ForeignAnswer,
};

/// The request id that Azure's support needs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// The longest message that is kept, in characters.
const MAX_WORDS: usize = 450;

/// The longest code that is kept, in characters. Key Vault's codes have about twenty.
const MAX_CODE: usize = 64;

/// The codes of an object or a version that does not exist. The inner code of such an answer may say more, and a vault
/// that does not exist has other codes.
const NOT_FOUND: [&str; 6] = [
    "SecretNotFound",
    "SecretVersionNotFound",
    "KeyNotFound",
    "KeyVersionNotFound",
    "CertificateNotFound",
    "CertificateVersionNotFound",
];

/// An error response: the status, the most specific code, and the service's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultErrorResponse {
    status: u16,
    code: String,
    words: String,
    request_id: Option<String>,
    reason: Reason,
    /// Whether one of its codes says that the object or the version does not exist.
    is_about_object: bool,
    /// Set if something other than Key Vault answered in its place.
    foreign: Option<Box<ForeignAnswer>>,
}

/// A reason that Key Vault gives beyond the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The identity has no role.
    Rbac,
    /// The identity has no access policy.
    Policy,
    /// The vault's firewall does not allow the address.
    Firewall,
    /// The vault accepts private connections only.
    PrivateConnection,
    /// The object is disabled.
    Disabled,
    /// The object is not valid yet.
    NotYetValid,
    /// The object has expired.
    Expired,
    /// The object was deleted, and can be recovered.
    SoftDeleted,
    /// The token is of another tenant than the vault.
    OtherTenant,
    /// The token is for another audience.
    OtherAudience,
    /// The response gives no reason.
    Unsaid,
}

impl VaultErrorResponse {
    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns the reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the service's message, or the text of a foreign answer, on one line; may be empty.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Returns the subject of [`Self::words`], for the beginning of a message.
    pub fn speaker(&self) -> &'static str {
        match &self.foreign {
            None => "Key Vault",
            Some(foreign) if foreign.is_page() => "The page",
            Some(_) => "The answer",
        }
    }

    /// Returns whether something other than Key Vault answered, so that the status says nothing about the object or
    /// the identity.
    ///
    /// A status that other software shares with Key Vault counts as the vault's, unless the body is a page: other
    /// vaults' error bodies have other forms. Key Vault never answers 407.
    pub(super) fn is_foreign(&self) -> bool {
        match (self.status, &self.foreign) {
            (407, _) => true,
            (429, _) | (_, None) => false,
            (400 | 401 | 404, Some(foreign)) => foreign.is_page(),
            (_, Some(_)) => true,
        }
    }

    /// Returns whether Key Vault itself says that an object or a version does not exist: `SecretNotFound` and the same
    /// for keys and certificates.
    pub(super) fn is_about_object(&self) -> bool {
        self.foreign.is_none() && self.is_about_object
    }

    /// Returns Azure's id of the request, which differs from try to try.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the caller's object id, if the message names it.
    pub fn object_id(&self) -> Option<&str> {
        let (_, rest) = self.words.split_once("oid=").filter(|_| self.foreign.is_none())?;
        let id = rest.split(|c: char| !c.is_ascii_hexdigit() && c != '-').next()?;
        (id.len() == 36).then_some(id)
    }

    pub(super) fn read(status: u16, response: Option<&RawResponse>) -> Self {
        match response {
            Some(response) => Self::of(status, response.headers(), response.body()),
            None => Self::parse(status, b""),
        }
    }

    /// Parses Key Vault's error body, `{"error":{"code","message","innererror":{"code"}}}`
    /// (<https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses#error-responses>).
    /// The inner error's code is more specific than the outer one. If the body has another shape, only the status
    /// remains, and the response may come from something other than Key Vault.
    pub fn parse(status: u16, body: &[u8]) -> Self {
        Self::of(status, &Headers::new(), body)
    }

    fn of(status: u16, headers: &Headers, body: &[u8]) -> Self {
        let error = serde_json::from_slice::<ErrorBody>(body).map(|body| body.error).unwrap_or_default();
        let known = !(error.code.is_empty() && error.message.is_empty());
        let foreign = ForeignAnswer::detect(headers, body, known);
        let inner = error.inner_error.map(|inner| inner.code).filter(|code| !code.is_empty());
        let is_about_object = [Some(&error.code), inner.as_ref()]
            .into_iter()
            .flatten()
            .any(|code| NOT_FOUND.contains(&code.as_str()));
        let code = inner.unwrap_or(error.code);
        let said = foreign.as_ref().map_or(error.message.as_str(), ForeignAnswer::words);
        let ServiceText { message: mut words, ids } = ServiceText::read(said, MAX_WORDS);
        if (300..400).contains(&status) {
            words = "redirects are not followed, since a token would go along".to_owned();
        }
        let request_id = headers.get_optional_str(&REQUEST_ID);
        let request_id = request_id.filter(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_graphic()));
        let request_id =
            request_id.map(ToOwned::to_owned).or_else(|| Some(ids).filter(|ids| !ids.is_empty()));
        let reason = Reason::of(status, &code, &words);
        Self {
            status,
            code: one_line(&code, MAX_CODE),
            words,
            request_id,
            reason,
            is_about_object,
            foreign: foreign.map(Box::new),
        }
    }
}

impl Reason {
    /// Returns the reason, by Key Vault's code if there is one for it, and otherwise by the beginning of its message.
    fn of(status: u16, code: &str, words: &str) -> Self {
        match (status, code) {
            (401, _) if words.starts_with("AKV10032") => Self::OtherTenant,
            (401, _) if words.starts_with("AKV10022") => Self::OtherAudience,
            (403, "ForbiddenByRbac") => Self::Rbac,
            (403, "ForbiddenByFirewall") => Self::Firewall,
            (403, "ForbiddenByConnection") => Self::PrivateConnection,
            // Exactly these: another code with such an end would say nothing of the object, and hide a file.
            (403, "SecretDisabled" | "KeyDisabled" | "CertificateDisabled") => Self::Disabled,
            (403, "SecretNotYetValid" | "KeyNotYetValid" | "CertificateNotYetValid") => Self::NotYetValid,
            (403, "SecretExpired" | "KeyExpired" | "CertificateExpired") => Self::Expired,
            (403, _) if words.starts_with("Client address is not authorized") => Self::Firewall,
            (403, _) if words.starts_with("Public network access is disabled") => Self::PrivateConnection,
            (403, "AccessDenied" | "ForbiddenByPolicy") => Self::Policy,
            (404, _) if words.contains("in a deleted but recoverable state") => Self::SoftDeleted,
            _ => Self::Unsaid,
        }
    }
}

impl fmt::Display for VaultErrorResponse {
    /// Formats as `404 SecretNotFound`, or `403 from something other than Key Vault, with an HTML page titled "Access
    /// Denied"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        } else if self.status == 407 {
            f.write_str(" Proxy Authentication Required")?;
        }
        match &self.foreign {
            Some(foreign) => write!(f, " from something other than Key Vault, with {foreign}"),
            None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorDetail {
    code: String,
    message: String,
    #[serde(rename = "innererror")]
    inner_error: Option<InnerError>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InnerError {
    code: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_error_is_the_one_that_is_named() {
        let body = br#"{"error":{"code":"Forbidden","message":"Operation get is not allowed\r\non a disabled secret.","innererror":{"code":"SecretDisabled"}}}"#;
        let answer = VaultErrorResponse::parse(403, body);
        assert_eq!(answer.to_string(), "403 SecretDisabled");
        assert_eq!(answer.words(), "Operation get is not allowed on a disabled secret.");
        assert_eq!(answer.reason(), Reason::Disabled);
    }

    #[test]
    fn an_object_does_not_exist_by_the_outer_or_the_inner_code() {
        for (code, inner, expected) in [
            ("SecretNotFound", "", true),
            ("KeyVersionNotFound", "", true),
            ("SecretNotFound", "ObjectIsDeletedButRecoverable", true),
            ("NotFound", "CertificateNotFound", true),
            ("VaultNotFound", "", false),
            ("NotFound", "", false),
            ("", "", false),
        ] {
            let body =
                format!(r#"{{"error":{{"code":"{code}","message":"x","innererror":{{"code":"{inner}"}}}}}}"#);
            let answer = VaultErrorResponse::parse(404, body.as_bytes());
            assert_eq!(answer.is_about_object(), expected, "{code} {inner}");
        }
    }

    #[test]
    fn a_body_of_another_shape_leaves_the_status() {
        let mut azure = Headers::new();
        azure.insert("x-ms-keyvault-region", "westeurope");
        for body in [&b""[..], b"words", b"{}", br#"{"error":"x"}"#, br#"{"error":{"code":5}}"#] {
            let answer = VaultErrorResponse::of(502, &azure, body);
            assert_eq!((answer.to_string().as_str(), answer.words()), ("502", ""));
        }
    }

    #[test]
    fn the_page_of_a_proxy_is_shown_and_its_status_is_not_taken_for_the_vaults() {
        let page =
            b"<html><title>Access Denied</title>Blocked: oid=66d10cbf-3a73-4326-9a8d-b1b082e7c3fc</html>";
        let shown = "403 from something other than Key Vault, with an HTML page titled \"Access Denied\"";
        let answer = VaultErrorResponse::parse(403, page);
        assert_eq!((answer.to_string().as_str(), answer.speaker()), (shown, "The page"));
        assert_eq!(answer.words(), "Blocked: oid=66d10cbf-3a73-4326-9a8d-b1b082e7c3fc");
        assert_eq!((answer.object_id(), answer.reason()), (None, Reason::Unsaid));
        let own = br#"{"error":{"code":"Forbidden","message":"m"}}"#;
        for (status, body, foreign) in [
            (400, &page[..], true),
            (401, page, true),
            (403, page, true),
            (404, page, true),
            (407, page, true),
            (407, b"", true),
            (407, own, true),
            (429, page, false),
            (502, page, true),
            (403, own, false),
            (403, b"", false),
            (403, br#"{"message":"Forbidden"}"#, true),
            (404, br#"{"title":"Not Found"}"#, false),
        ] {
            assert_eq!(
                VaultErrorResponse::parse(status, body).is_foreign(),
                foreign,
                "{status} {}",
                String::from_utf8_lossy(body)
            );
        }
        let redirect = VaultErrorResponse::parse(302, page);
        assert!(redirect.is_foreign() && redirect.words().starts_with("redirects are not followed"));
    }

    #[test]
    fn what_does_something_to_a_terminal_is_not_passed_on() {
        let body =
            serde_json::json!({"error": {"code": "A\u{1b}[2J", "message": "b\u{7}\u{1b}[1mc"}}).to_string();
        let answer = VaultErrorResponse::parse(500, body.as_bytes());
        assert_eq!((answer.to_string().as_str(), answer.words()), ("500 A [2J", "b [1mc"));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let body = serde_json::json!({"error": {"code": "X", "message": "ä".repeat(700)}}).to_string();
        let answer = VaultErrorResponse::parse(500, body.as_bytes());
        assert_eq!(answer.words().chars().count(), MAX_WORDS + 1);
    }

    #[test]
    fn what_key_vault_says_beyond_its_status_is_known() {
        for (status, code, words, expected) in [
            (401, "Unauthorized", "AKV10032: Invalid issuer.", Reason::OtherTenant),
            (401, "Unauthorized", "AKV10022: Invalid audience.", Reason::OtherAudience),
            (403, "ForbiddenByRbac", "Caller is not authorized", Reason::Rbac),
            (403, "AccessDenied", "The user, group or application has no permission", Reason::Policy),
            (403, "ForbiddenByFirewall", "", Reason::Firewall),
            (403, "Forbidden", "Client address is not authorized and caller is", Reason::Firewall),
            (403, "ForbiddenByConnection", "", Reason::PrivateConnection),
            (403, "Forbidden", "Public network access is disabled and", Reason::PrivateConnection),
            (403, "KeyDisabled", "", Reason::Disabled),
            (403, "VaultDisabled", "", Reason::Unsaid),
            (403, "SubscriptionExpired", "", Reason::Unsaid),
            (403, "SecretNotYetValid", "", Reason::NotYetValid),
            (403, "SecretExpired", "", Reason::Expired),
            (
                404,
                "SecretNotFound",
                "Secret s is currently in a deleted but recoverable state.",
                Reason::SoftDeleted,
            ),
            (404, "SecretNotFound", "A secret was not found", Reason::Unsaid),
            (500, "", "", Reason::Unsaid),
        ] {
            assert_eq!(Reason::of(status, code, words), expected, "{status} {code} {words}");
        }
    }

    #[test]
    fn the_callers_object_id_is_in_the_words() {
        let of = |message: &str| {
            let body = serde_json::json!({"error": {"message": message}}).to_string();
            VaultErrorResponse::parse(403, body.as_bytes()).object_id().map(ToOwned::to_owned)
        };
        let id = "66d10cbf-3a73-4326-9a8d-b1b082e7c3fc";
        assert_eq!(of(&format!("Caller: appid=x;oid={id};iss=y")).as_deref(), Some(id));
        assert_eq!(of(&format!("application 'oid={id}' has")).as_deref(), Some(id));
        assert_eq!(of("oid=short;"), None);
        assert_eq!(of("nobody"), None);
    }

    #[test]
    fn a_request_id_is_kept_where_it_is_one() {
        for (id, kept) in [("6d1f-1", true), ("a b", false), (&"x".repeat(65), false)] {
            let mut headers = Headers::new();
            headers.insert("x-ms-request-id", id.to_owned());
            let raw = RawResponse::from_bytes(404.into(), headers, "");
            assert_eq!(VaultErrorResponse::read(404, Some(&raw)).request_id().is_some(), kept, "{id}");
        }
    }
}

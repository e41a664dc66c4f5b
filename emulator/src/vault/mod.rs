//! Key Vault's data plane (<https://learn.microsoft.com/rest/api/keyvault/>): reads only.

mod access;
mod challenge;
mod content;
mod errors;
mod handle;
mod listing;
mod paging;
mod rendering;
mod store;

use std::sync::Arc;

use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{CACHE_CONTROL, DATE, EXPIRES, PRAGMA, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS},
};

use time::OffsetDateTime;

use self::{
    errors::VaultError,
    store::{Found, Store},
};
use crate::{
    access_token::AccessTokens,
    answer::{Answer, JSON},
    clock::Clock,
    cloud::Cloud,
    directory::{Action, DeniedRead, Directory},
    ids::RequestIds,
    rate::RateLimits,
    route::RequestHead,
};

pub use self::{
    content::{ObjectKind, ObjectVersion, VaultAccess, VaultContent, VaultSet},
    handle::{UnknownObject, Vaults},
};

/// The state that the vaults answer from.
#[derive(Debug)]
pub(crate) struct KeyVault<'a> {
    pub(crate) store: &'a Store,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tokens: &'a AccessTokens,
    pub(crate) clock: &'a Clock,
    pub(crate) limits: &'a RateLimits,
    pub(crate) ids: &'a RequestIds,
    pub(crate) cloud: &'a Cloud,
    pub(crate) vault: &'a str,
}

/// The headers that the vaults read.
#[derive(Debug, Default)]
pub(crate) struct VaultHeaders<'a> {
    pub(crate) authorization: Option<&'a str>,
    pub(crate) client_request_id: Option<HeaderValue>,
}

impl KeyVault<'_> {
    pub(crate) fn answer(&self, head: &RequestHead, headers: VaultHeaders<'_>) -> Answer {
        let answer = match self.respond(head, headers.authorization) {
            Ok(answer) => answer,
            Err(error) => self.refusal(head, &error),
        };
        let answer = answer
            .header_text(DATE, &http_date(self.clock.now()))
            .header(CACHE_CONTROL, HeaderValue::from_static("no-cache"))
            .header(PRAGMA, HeaderValue::from_static("no-cache"))
            .header(EXPIRES, HeaderValue::from_static("-1"))
            .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .header(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000;includeSubDomains"))
            .header(REGION, HeaderValue::from_static(LOCATION))
            .header(SERVICE_VERSION, HeaderValue::from_static("1.9.2576.1"))
            .header(
                NETWORK_INFO,
                HeaderValue::from_static("conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;"),
            )
            .header_text(REQUEST_ID, &self.ids.next());
        match headers.client_request_id {
            Some(id) => answer.header(CLIENT_REQUEST_ID, id),
            None => answer,
        }
    }

    /// Returns the service's own body for a status that a fault injects.
    pub(crate) fn failing(status: StatusCode) -> Answer {
        VaultError::of_status(status).answer()
    }

    fn respond(&self, head: &RequestHead, authorization: Option<&str>) -> Result<Answer, VaultError> {
        let tenant = self
            .store
            .tenant(self.vault)
            .ok_or_else(|| VaultError::UnknownVault { vault: self.vault.to_owned() })?
            .unwrap_or_else(|| self.directory.home_tenant().to_owned());
        let caller = match self.store.access(self.vault) {
            VaultAccess::Authenticated => Some(self.authenticate(&tenant, authorization)?),
            VaultAccess::Anonymous => None,
        };
        if !self.limits.admits(self.vault) {
            return Err(VaultError::Throttled);
        }
        if head.query_value("api-version").is_none_or(|version| version.is_empty()) {
            return Err(VaultError::NoApiVersion);
        }
        let target = Target::parse(&head.path)?;
        if head.method != Method::GET {
            return Err(self.write_refused(head, &target));
        }
        if let Some(caller) = &caller {
            self.authorize(caller, &target)?;
        }
        let answer = match &target {
            Target::Objects(kind) => self.list(head, *kind)?,
            Target::Versions(kind, name) => self.list_versions(head, *kind, name)?,
            Target::Version(kind, name, version) => self.version(head, *kind, name, version)?,
        };
        Ok(match caller {
            Some(caller) => answer.caller(&caller.client_id),
            None => answer,
        })
    }

    fn version(
        &self,
        head: &RequestHead,
        kind: ObjectKind,
        name: &str,
        version: &str,
    ) -> Result<Answer, VaultError> {
        match self.store.find(self.vault, kind, name, version) {
            Found::Version(found) if found.enabled() => {
                Ok(Answer::raw(StatusCode::OK, JSON, found.rendered().fill(&head.host)))
            }
            Found::Version(_) => Err(VaultError::Disabled { kind }),
            Found::Deleted => Err(VaultError::Deleted { kind, name: name.to_owned() }),
            Found::Nothing => {
                let separator = if version.is_empty() { "" } else { "/" };
                Err(VaultError::NotFound { kind, id: format!("{name}{separator}{version}") })
            }
        }
    }

    fn write_refused(&self, head: &RequestHead, target: &Target<'_>) -> VaultError {
        match target {
            Target::Version(kind, name, "")
                if head.method == Method::PUT
                    && matches!(self.store.find(self.vault, *kind, name, ""), Found::Deleted) =>
            {
                VaultError::DeletedButRecoverable { kind: *kind, name: (*name).to_owned() }
            }
            _ => VaultError::MethodNotAllowed { method: head.method.clone() },
        }
    }
}

/// Returns a time as the `Date` header has it (RFC 9110, section 5.6.7).
fn http_date(time: OffsetDateTime) -> String {
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    let (day, year) = (time.day(), time.year());
    let (hour, minute, second) = time.to_hms();
    format!("{weekday:.3}, {day:02} {month:.3} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// The target of a path.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Objects(ObjectKind),
    Versions(ObjectKind, &'a str),
    /// The current version if the last part is empty.
    Version(ObjectKind, &'a str, &'a str),
}

impl<'a> Target<'a> {
    fn parse(path: &'a str) -> Result<Self, VaultError> {
        let mut segments = path.split('/').skip(1);
        let kind = segments.next().and_then(ObjectKind::from_collection).ok_or(VaultError::NoSuchPath)?;
        let name = segments.next().unwrap_or_default();
        let version = segments.next().unwrap_or_default();
        if segments.any(|rest| !rest.is_empty()) {
            return Err(VaultError::NoSuchPath);
        }
        if name.is_empty() && version.is_empty() {
            return Ok(Self::Objects(kind));
        }
        let named = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if name.is_empty() || name.len() > 127 || !named(name) {
            return Err(VaultError::BadName { name: name.to_owned() });
        }
        if version.eq_ignore_ascii_case("versions") {
            return Ok(Self::Versions(kind, name));
        }
        if !named(version) {
            return Err(VaultError::BadName { name: version.to_owned() });
        }
        Ok(Self::Version(kind, name, version))
    }

    fn action(&self) -> Action {
        match self {
            Self::Version(ObjectKind::Secret, ..) => Action::GetSecret,
            Self::Objects(ObjectKind::Secret) | Self::Versions(ObjectKind::Secret, _) => Action::ListSecrets,
            Self::Objects(kind) | Self::Versions(kind, _) | Self::Version(kind, ..) => match kind {
                ObjectKind::Key => Action::ReadKey,
                ObjectKind::Certificate | ObjectKind::Secret => Action::ReadCertificate,
            },
        }
    }

    fn read(&self) -> DeniedRead<'_> {
        match self {
            Self::Objects(_) => DeniedRead::Objects,
            Self::Versions(kind, name) => DeniedRead::Versions(*kind, name),
            Self::Version(kind, name, _) => DeniedRead::Version(*kind, name),
        }
    }

    /// Returns the end of the Azure resource id that a refusal names.
    fn resource_path(&self) -> String {
        match self {
            Self::Objects(_) => String::new(),
            Self::Versions(kind, name) | Self::Version(kind, name, _) => {
                format!("/{}/{}", kind.collection(), name.to_ascii_lowercase())
            }
        }
    }
}

/// The Azure region of every emulated vault.
const LOCATION: &str = "westeurope";
const REGION: HeaderName = HeaderName::from_static("x-ms-keyvault-region");
const SERVICE_VERSION: HeaderName = HeaderName::from_static("x-ms-keyvault-service-version");
const NETWORK_INFO: HeaderName = HeaderName::from_static("x-ms-keyvault-network-info");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
/// The caller's own request id, which the answer repeats.
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");

pub(crate) use self::store::Store as VaultStore;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        let at = |seconds| http_date(OffsetDateTime::from_unix_timestamp(seconds).expect("in range"));
        // The example of RFC 9110.
        assert_eq!(at(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(1_709_164_800), "Thu, 29 Feb 2024 00:00:00 GMT");
    }

    #[test]
    fn paths_address_objects_versions_and_lists() {
        use ObjectKind::{Certificate, Key, Secret};
        for (path, target) in [
            ("/secrets", Target::Objects(Secret)),
            ("/keys/", Target::Objects(Key)),
            ("/secrets/a", Target::Version(Secret, "a", "")),
            ("/secrets/a/", Target::Version(Secret, "a", "")),
            ("/certificates/a-1/versions", Target::Versions(Certificate, "a-1")),
            ("/keys/a/0f", Target::Version(Key, "a", "0f")),
            ("/keys/a/0f/", Target::Version(Key, "a", "0f")),
        ] {
            assert_eq!(Target::parse(path).expect(path), target, "{path}");
        }
    }

    #[test]
    fn other_paths_are_refused() {
        let long = format!("/secrets/{}", "a".repeat(128));
        for path in
            ["/", "/other/a", "/secrets/a_b", "/secrets/a%20b", "/secrets//x", "/secrets/a/b/c", &long]
        {
            assert!(Target::parse(path).is_err(), "{path}");
        }
        assert!(Target::parse(&long[..long.len() - 1]).is_ok(), "127 characters");
    }
}

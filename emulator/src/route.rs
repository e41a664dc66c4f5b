//! The address of a request, and a matcher for it.

use std::{fmt, sync::Arc};

use http::Method;

/// A part of Azure, or of the cluster, that answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Microsoft Entra: discovery and the token endpoint.
    Entra,
    /// The token proxy of AKS identity binding (TLS server name under `ests.aks`).
    TokenProxy,
    /// Key Vault.
    Vault,
    /// The instance metadata service of the node.
    Imds,
    /// The node-managed identity of pod identity.
    Nmi,
    /// The service-account issuer of the emulated cluster or of a trusted one: its discovery document and keys.
    Issuer,
    /// The Kubernetes API server: it only shows its certificate.
    ApiServer,
    /// A host that the emulator does not know.
    Unknown,
}

/// The head of a request as the emulator received it.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// The service that answers.
    pub service: Service,
    /// The HTTP method.
    pub method: Method,
    /// The `Host` header in lower case, with its port if there is one.
    pub host: String,
    /// The path, not decoded.
    pub path: String,
    /// The query without its question mark; may be empty.
    pub query: String,
    /// The vault's name, for a request to Key Vault.
    pub vault: Option<String>,
    /// Whether the request had an `Authorization` header, with any value.
    pub credentials: bool,
    /// The `User-Agent` header; may be empty.
    pub user_agent: String,
    /// The number of the connection, unique within the emulator.
    pub connection: u64,
}

impl RequestHead {
    /// Returns a decoded value of the query.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }
}

/// A matcher of requests: all of its conditions must hold. [`Route::any`] matches all.
///
/// ```
/// use akv_emulator::Route;
/// let lists_of_lab = Route::vault("lab").path_suffix("/versions");
/// ```
#[derive(Clone, Default)]
pub struct Route {
    service: Option<Service>,
    method: Option<Method>,
    vault: Option<String>,
    path: Option<PathMatch>,
    credentials: Option<bool>,
    predicate: Option<Predicate>,
}

type Predicate = Arc<dyn Fn(&RequestHead) -> bool + Send + Sync>;

#[derive(Clone, Debug)]
enum PathMatch {
    Is(String),
    Prefix(String),
    Suffix(String),
}

impl Route {
    /// Matches every request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Matches every request to one service.
    #[must_use]
    pub fn service(service: Service) -> Self {
        Self { service: Some(service), ..Self::default() }
    }

    /// Matches every request to one vault.
    #[must_use]
    pub fn vault(name: &str) -> Self {
        Self { vault: Some(name.to_ascii_lowercase()), ..Self::service(Service::Vault) }
    }

    /// Matches token requests: `POST` to Entra's token endpoint.
    #[must_use]
    pub fn token_endpoint() -> Self {
        Self::service(Service::Entra).method(Method::POST).path_suffix("/oauth2/v2.0/token")
    }

    /// Requires this method.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        Self { method: Some(method), ..self }
    }

    /// Requires exactly this path.
    #[must_use]
    pub fn path(self, path: &str) -> Self {
        Self { path: Some(PathMatch::Is(path.to_owned())), ..self }
    }

    /// Requires a path with this prefix.
    #[must_use]
    pub fn path_prefix(self, prefix: &str) -> Self {
        Self { path: Some(PathMatch::Prefix(prefix.to_owned())), ..self }
    }

    /// Requires a path with this suffix.
    #[must_use]
    pub fn path_suffix(self, suffix: &str) -> Self {
        Self { path: Some(PathMatch::Suffix(suffix.to_owned())), ..self }
    }

    /// Requires an `Authorization` header (`true`) or its absence (`false`), which distinguishes reads of Key Vault
    /// from the anonymous probe.
    #[must_use]
    pub fn credentials(self, sent: bool) -> Self {
        Self { credentials: Some(sent), ..self }
    }

    /// Requires that the predicate holds.
    #[must_use]
    pub fn matching(self, predicate: impl Fn(&RequestHead) -> bool + Send + Sync + 'static) -> Self {
        Self { predicate: Some(Arc::new(predicate)), ..self }
    }

    /// Returns whether a request matches.
    #[must_use]
    pub fn matches(&self, head: &RequestHead) -> bool {
        self.service.is_none_or(|service| service == head.service)
            && self.method.as_ref().is_none_or(|method| *method == head.method)
            && self.vault.as_ref().is_none_or(|vault| Some(vault) == head.vault.as_ref())
            && self.credentials.is_none_or(|sent| sent == head.credentials)
            && self.path.as_ref().is_none_or(|path| path.matches(&head.path))
            && self.predicate.as_ref().is_none_or(|predicate| predicate(head))
    }
}

impl PathMatch {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Is(whole) => path == whole,
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
            Self::Suffix(suffix) => path.ends_with(suffix.as_str()),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("service", &self.service)
            .field("method", &self.method)
            .field("vault", &self.vault)
            .field("path", &self.path)
            .field("credentials", &self.credentials)
            .field("predicate", &self.predicate.is_some())
            .finish()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn vault_get(path: &str) -> RequestHead {
        RequestHead {
            service: Service::Vault,
            method: Method::GET,
            host: "lab.vault.azure.net".into(),
            path: path.into(),
            query: "api-version=7.6".into(),
            vault: Some("lab".into()),
            credentials: true,
            user_agent: String::new(),
            connection: 1,
        }
    }

    #[test]
    fn every_condition_must_hold() {
        let head = vault_get("/secrets/a/versions");
        for (label, route, picked) in [
            ("any", Route::any(), true),
            ("vault", Route::vault("LAB"), true),
            ("other vault", Route::vault("other"), false),
            ("other service", Route::service(Service::Entra), false),
            ("method", Route::any().method(Method::POST), false),
            ("prefix", Route::any().path_prefix("/secrets/"), true),
            ("suffix", Route::vault("lab").path_suffix("/versions"), true),
            ("path", Route::any().path("/secrets/a"), false),
            ("with credentials", Route::any().credentials(true), true),
            ("without credentials", Route::any().credentials(false), false),
            ("predicate", Route::any().matching(|head| head.connection == 2), false),
        ] {
            assert_eq!(route.matches(&head), picked, "{label}");
        }
    }

    #[test]
    fn query_values_are_decoded() {
        let head = RequestHead { query: "a=1&%24skiptoken=x%2Fy".into(), ..vault_get("/") };
        assert_eq!(head.query_value("$skiptoken").as_deref(), Some("x/y"));
        assert_eq!(head.query_value("b"), None);
    }
}

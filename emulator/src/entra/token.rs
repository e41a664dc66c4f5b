//! `POST /{tenant}/oauth2/v2.0/token` with the client credentials grant
//! (<https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>).

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, PRAGMA},
};
use serde_json::json;

use super::{Entra, client_certificate::names_certificate, errors::EntraError};
use crate::{access_token::Grant, answer::Answer, directory::Application};

impl Entra<'_> {
    pub(super) fn token(&self, tenant: &str, body: &Bytes) -> Result<Answer, EntraError> {
        let form = Form::parse(body);
        if !self.directory.has_tenant(tenant) {
            return Err(EntraError::UnknownTenant { tenant: tenant.to_owned() });
        }
        let grant_type = form.required("grant_type")?;
        if grant_type != "client_credentials" {
            return Err(EntraError::UnsupportedGrant { grant_type: grant_type.to_owned() });
        }
        let client_id = form.required("client_id")?;
        let scope = form.required("scope")?;
        let application = self.directory.application(tenant, client_id).ok_or_else(|| {
            EntraError::UnknownApplication { client_id: client_id.to_owned(), tenant: tenant.to_owned() }
        })?;
        self.authenticate(tenant, application, &form)?;
        let resource = self.resource(tenant, scope)?;
        let lifetime = self.directory.token_lifetime.as_secs();
        let token = self.tokens.issue(&Grant {
            tenant,
            identity: &application.identity,
            resource,
            managed: false,
            now: self.clock.unix(),
            lifetime: i64::try_from(lifetime).unwrap_or(i64::MAX / 4),
        });
        let answer = Answer::json(
            StatusCode::OK,
            &json!({
                "token_type": "Bearer",
                "expires_in": lifetime,
                "ext_expires_in": lifetime,
                "access_token": token,
            }),
        );
        Ok(answer
            .header(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"))
            .header(PRAGMA, HeaderValue::from_static("no-cache"))
            .caller(&application.identity.client_id))
    }

    fn authenticate(
        &self,
        tenant: &str,
        application: &Application,
        form: &Form<'_>,
    ) -> Result<(), EntraError> {
        if let Some(assertion) = form.value("client_assertion") {
            return match form.required("client_assertion_type")? {
                JWT_BEARER if names_certificate(assertion) => {
                    self.check_certificate(tenant, application, assertion)
                }
                JWT_BEARER => self.check_assertion(application, assertion),
                _ => Err(EntraError::MalformedAssertion),
            };
        }
        let secret = form.value("client_secret").ok_or(EntraError::NoCredential)?;
        if application.secrets.iter().any(|known| known == secret) {
            Ok(())
        } else {
            Err(EntraError::WrongSecret { client_id: application.identity.client_id.clone() })
        }
    }

    /// Returns the audience of a request, which its one resource scope names. MSAL always sends reserved scopes beside
    /// it, which have no effect.
    fn resource<'s>(&self, tenant: &str, scope: &'s str) -> Result<&'s str, EntraError> {
        let mut resources = scope.split_whitespace().filter(|word| !is_reserved(word));
        let without_default = || EntraError::ScopeWithoutDefault { scope: scope.to_owned() };
        let resource = resources.next().ok_or_else(without_default)?;
        if resources.next().is_some() {
            return Err(EntraError::BadScope { scope: scope.to_owned() });
        }
        let resource = resource.strip_suffix("/.default").ok_or_else(without_default)?;
        if self.cloud.knows(resource.trim_end_matches('/')) {
            Ok(resource)
        } else {
            Err(EntraError::UnknownResource { resource: resource.to_owned(), tenant: tenant.to_owned() })
        }
    }
}

/// Returns whether a scope is one of OpenID Connect's, which name no resource
/// (<https://learn.microsoft.com/entra/identity-platform/scopes-oidc>).
fn is_reserved(scope: &str) -> bool {
    ["openid", "offline_access", "profile", "email"]
        .iter()
        .any(|reserved| reserved.eq_ignore_ascii_case(scope))
}

/// A form body (`application/x-www-form-urlencoded`).
struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    fn parse(body: &'a [u8]) -> Self {
        Self(url::form_urlencoded::parse(body).collect())
    }

    fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name)?;
        Some(found.1.as_ref()).filter(|value| !value.is_empty())
    }

    fn required(&self, parameter: &'static str) -> Result<&str, EntraError> {
        self.value(parameter).ok_or(EntraError::MissingParameter { parameter })
    }
}

/// RFC 7523, section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

//! Microsoft Entra: discovery and the token endpoint.

mod assertion;
mod client_certificate;
mod discovery;
mod errors;
mod token;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::{
    access_token::AccessTokens, answer::Answer, clock::Clock, cloud::Cloud, directory::Directory,
    route::RequestHead, service_account::Issuer, trusted_issuer::TrustedIssuers,
};

pub(crate) use self::assertion::audience_for;
pub(crate) use self::errors::EntraError;

/// The state that Entra answers from.
#[derive(Debug)]
pub(crate) struct Entra<'a> {
    pub(crate) directory: Arc<Directory>,
    pub(crate) tokens: &'a AccessTokens,
    pub(crate) issuer: &'a Issuer,
    pub(crate) trusted_issuers: &'a TrustedIssuers,
    pub(crate) clock: &'a Clock,
    /// The cloud of the requested login host.
    pub(crate) cloud: &'a Cloud,
    /// The audience of service-account tokens, if the endpoint prescribes it.
    pub(crate) audience: Option<&'static str>,
}

impl Entra<'_> {
    pub(crate) fn answer(&self, head: &RequestHead, body: &Bytes) -> Answer {
        let path = head.path.trim_start_matches('/');
        if path == "common/discovery/instance" {
            return discovery::instance(head);
        }
        let Some((tenant, rest)) = path.split_once('/') else {
            return not_found();
        };
        // AD FS, the directory of an Azure Stack without Entra, has only the older endpoint.
        let token_path = if tenant == ADFS { "oauth2/token" } else { "oauth2/v2.0/token" };
        match (rest, &head.method) {
            ("v2.0/.well-known/openid-configuration", &Method::GET) => {
                discovery::openid_configuration(head, self.cloud, tenant)
            }
            ("discovery/v2.0/keys", &Method::GET) => Answer::json(StatusCode::OK, &self.tokens.key_set()),
            (path, &Method::POST) if path == token_path => {
                self.token(tenant, body).unwrap_or_else(|error| error.answer(self.clock.now(), &head.host))
            }
            (path, method) if path == token_path => {
                EntraError::PostOnly { method: method.to_string() }.answer(self.clock.now(), &head.host)
            }
            _ => not_found(),
        }
    }
}

const ADFS: &str = "adfs";

fn not_found() -> Answer {
    Answer::text(StatusCode::NOT_FOUND, "no such page at this login host\n")
}

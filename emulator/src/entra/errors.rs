//! Errors of the token endpoint: code, status, OAuth error and text as Entra words them
//! (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).

use http::StatusCode;
use serde_json::json;
use thiserror::Error;
use time::{OffsetDateTime, macros::format_description};

use crate::{answer::Answer, cloud::without_port, ids::random_uuid};

/// Why no token was issued.
#[derive(Debug, Error)]
pub(crate) enum EntraError {
    #[error("JWT token is invalid or malformed.")]
    MalformedAssertion,
    #[error(
        "The provided value for the input parameter 'scope' is not valid. The scope '{scope}' is not valid."
    )]
    BadScope { scope: String },
    #[error(
        "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. \
         Assertion Subject: '{subject}'. Assertion Audience: '{audience}'. \
         https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    )]
    NoFederation { issuer: String, subject: String, audience: String },
    #[error("The app requested an unsupported grant type '{grant_type}'.")]
    UnsupportedGrant { grant_type: String },
    #[error(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the \
         correct cloud. Check with your subscription administrator, this may happen if there are no active \
         subscriptions for the tenant."
    )]
    UnknownTenant { tenant: String },
    #[error(
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You might have sent your authentication request to the wrong tenant."
    )]
    UnknownResource { resource: String, tenant: String },
    #[error(
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can happen if the \
         application has not been installed by the administrator of the tenant or consented to by any user in the \
         tenant. You may have sent your authentication request to the wrong tenant."
    )]
    UnknownApplication { client_id: String, tenant: String },
    #[error(
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {from}, \
         expiry time of assertion {until}. Review the documentation at \
         https://learn.microsoft.com/entra/identity-platform/certificate-credentials."
    )]
    AssertionExpired { now: String, from: String, until: String },
    #[error(
        "Client assertion failed signature validation. [Reason - The provided signature value did not match the \
         expected signature value.]"
    )]
    BadSignature,
    #[error(
        "No matching federated identity record found for presented assertion audience '{audience}'. Please check your \
         federated identity credential Subject, Audience and Issuer against the presented assertion. \
         https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    )]
    WrongAudience { audience: String },
    #[error(
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - \
         The key was not found., Thumbprint of key used by client: '{thumbprint}'.]"
    )]
    UnknownCertificate { thumbprint: String },
    #[error("Client assertion application identifier doesn't match 'client_id' parameter '{client_id}'.")]
    OtherClient { client_id: String },
    #[error("Client assertion audience claim does not match Realm issuer.")]
    OtherAudience,
    #[error("The request body must contain the following parameter: '{parameter}'.")]
    MissingParameter { parameter: &'static str },
    #[error("The endpoint only accepts POST, OPTIONS requests. Received a {method} request.")]
    PostOnly { method: String },
    #[error(
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with \
         /.default suffixed to the resource identifier (application ID URI)."
    )]
    ScopeWithoutDefault { scope: String },
    #[error(
        "Unable to verify token signature. The signing key identifier does not match any valid registered keys."
    )]
    UnknownSigningKey,
    #[error("Request to External OIDC endpoint failed.")]
    IssuerUnreachable,
    #[error(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not \
         the client secret ID, for a secret added to app '{client_id}'."
    )]
    WrongSecret { client_id: String },
    #[error(
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
    )]
    NoCredential,
}

impl EntraError {
    /// Returns the number after `AADSTS`.
    pub(crate) fn code(&self) -> u32 {
        match self {
            Self::MalformedAssertion => 50027,
            Self::BadScope { .. } => 70011,
            Self::NoFederation { .. } => 70021,
            Self::UnsupportedGrant { .. } => 70003,
            Self::UnknownTenant { .. } => 90002,
            Self::UnknownResource { .. } => 500_011,
            Self::UnknownApplication { .. } => 700_016,
            Self::AssertionExpired { .. } => 700_024,
            Self::BadSignature | Self::UnknownCertificate { .. } => 700_027,
            Self::OtherClient { .. } => 700_021,
            Self::OtherAudience => 700_023,
            Self::WrongAudience { .. } => 700_212,
            Self::MissingParameter { .. } => 900_144,
            Self::PostOnly { .. } => 900_561,
            Self::ScopeWithoutDefault { .. } => 1_002_012,
            Self::UnknownSigningKey => 5_000_811,
            Self::IssuerUnreachable => 90061,
            Self::WrongSecret { .. } => 7_000_215,
            Self::NoCredential => 7_000_216,
        }
    }

    pub(crate) fn answer(&self, now: OffsetDateTime, host: &str) -> Answer {
        let (status, error) = self.kind();
        let (code, trace, correlation) = (self.code(), random_uuid(), random_uuid());
        let timestamp = timestamp(now);
        Answer::json(
            status,
            &json!({
                "error": error,
                "error_description": format!(
                    "AADSTS{code}: {self} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
                ),
                "error_codes": [code],
                "timestamp": timestamp,
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": format!("https://{}/error?code={code}", without_port(host)),
            }),
        )
    }

    fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::UnknownTenant { .. }
            | Self::MissingParameter { .. }
            | Self::PostOnly { .. }
            | Self::IssuerUnreachable => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::BadScope { .. } | Self::ScopeWithoutDefault { .. } => {
                (StatusCode::BAD_REQUEST, "invalid_scope")
            }
            Self::UnsupportedGrant { .. } => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::UnknownResource { .. } => (StatusCode::BAD_REQUEST, "invalid_resource"),
            Self::UnknownApplication { .. } => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::MalformedAssertion
            | Self::NoFederation { .. }
            | Self::AssertionExpired { .. }
            | Self::BadSignature
            | Self::UnknownCertificate { .. }
            | Self::OtherClient { .. }
            | Self::OtherAudience
            | Self::WrongAudience { .. }
            | Self::UnknownSigningKey
            | Self::WrongSecret { .. }
            | Self::NoCredential => (StatusCode::UNAUTHORIZED, "invalid_client"),
        }
    }
}

/// Formats a time with seconds, as in `2025-01-31 23:59:59Z`.
fn timestamp(at: OffsetDateTime) -> String {
    at.format(format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z"))
        .expect("every component is there for every time")
}

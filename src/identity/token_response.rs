//! Successful responses of all token sources, parsed in one place.
//!
//! Each of the SDK's own parsers accepts one form: numbers from Entra, and from IMDS a text of digits beside
//! `token_type` and `resource`. Sources of the same protocol differ. Entra at times sends texts. Replacements of IMDS
//! on a node (Azure Arc, App Service, emulators) send numbers, dates, or an expiry alone.

mod forms_of_time;

use std::sync::Arc;

use azure_core::{
    Bytes,
    credentials::AccessToken,
    error::{Error, ErrorKind},
    http::{
        AsyncRawResponse, Context, Request,
        policies::{Policy, PolicyResult},
    },
    time::{Duration, OffsetDateTime},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{
    spec::{excerpt::Excerpt, sensitive::Sensitive},
    transport::{ForeignAnswer, below},
};

use self::forms_of_time::{moment, seconds};

/// The longest time that a token is kept, in days. No token of Entra is valid for longer than 28 hours.
const MAX_LIFETIME_DAYS: i64 = 365;

/// An access token with its expiry.
#[derive(Debug)]
pub struct TokenResponse {
    token: Sensitive<String>,
    expires_on: OffsetDateTime,
}

/// An error of a successful response that cannot be used. No text holds a part of the response that may be a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenResponseError {
    /// The body is not a JSON object.
    #[error("the answer is not a JSON object")]
    NotAnObject,
    /// The body is an HTML page with this title.
    #[error("the answer is an HTML page titled {0}")]
    Page(Excerpt),
    /// The body is a JSON object with other fields.
    #[error("the answer is a JSON object, but not that of a token")]
    NotAToken,
    /// The token is missing or empty.
    #[error("the answer has no access_token")]
    NoToken,
    /// An error in a successful answer (RFC 6749 section 5.2).
    #[error("the answer has no access_token but the error {0}")]
    Failed(Excerpt),
    /// The token contains bytes that no HTTP header can carry.
    #[error("the answer's access_token cannot be sent in a header")]
    UnusableToken,
    /// None of the fields has a readable expiry.
    #[error("the answer has no expiry: neither expires_on nor expires_in can be read")]
    NoExpiry,
}

impl TokenResponse {
    /// Parses a response of Entra, of the token proxy or of IMDS that arrived at `now`.
    ///
    /// The expiry is `expires_on` if it is readable, or else `expires_in`, in any form that MSAL Go or Azure's
    /// documentation has: a number or a text of seconds, or a date. A token with `refresh_in` alone is kept until
    /// then, since it expires later.
    ///
    /// # Errors
    /// There is no token, or, as in MSAL Go, no expiry.
    pub fn read(body: &[u8], now: OffsetDateTime) -> Result<Self, TokenResponseError> {
        let fields: Fields = parse(body)?;
        let expires_on = fields.expires_on(now).ok_or(TokenResponseError::NoExpiry);
        // A missing token is the more useful error than a missing expiry.
        let token = fields.token()?;
        Ok(Self { token, expires_on: expires_on? })
    }

    /// Parses a response of NMI, which has the token one level deeper.
    ///
    /// Compat: a token without an expiry serves the mount that requested it.
    ///
    /// # Errors
    /// There is no token.
    pub fn read_nmi(body: &[u8], now: OffsetDateTime) -> Result<Self, TokenResponseError> {
        let Nested { token: fields } = parse(body)?;
        let expires_on = fields.expires_on(now).unwrap_or(now);
        Ok(Self { token: fields.token()?, expires_on })
    }

    /// Returns the time when the token expires, at most a year after it arrived.
    pub fn expires_on(&self) -> OffsetDateTime {
        self.expires_on
    }

    /// Returns the token as the SDK's type. The SDK keeps it.
    pub(super) fn into_access_token(self) -> AccessToken {
        AccessToken::new(self.token.into_exposed(), self.expires_on)
    }

    /// Returns the response in a form that the SDK's parsers for Entra and for IMDS both accept, in memory that is
    /// wiped.
    fn canonical(&self, now: OffsetDateTime) -> Bytes {
        let expires_in = (self.expires_on - now).whole_seconds();
        let canonical = Canonical {
            token_type: "Bearer",
            access_token: self.token.expose(),
            expires_in,
            ext_expires_in: expires_in,
            expires_on: self.expires_on.unix_timestamp().to_string(),
            resource: "",
        };
        // With room for all of it: a vector that grows leaves its content behind.
        let mut body = Zeroizing::new(Vec::with_capacity(2 * self.token.expose().len() + 256));
        serde_json::to_writer(&mut *body, &canonical).expect("texts and numbers have a JSON form");
        Bytes::from_owner(body)
    }
}

/// Parses a JSON object. The JSON parser's errors quote its input, so none of them is passed on.
fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, TokenResponseError> {
    // The JSON parser would accept an array of the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        let title = ForeignAnswer::title_of(body).filter(|title| !title.is_empty());
        return Err(title
            .map_or(TokenResponseError::NotAnObject, |title| TokenResponseError::Page(Excerpt::of(&title))));
    }
    serde_json::from_slice(body).map_err(|error| match error.is_data() {
        true => TokenResponseError::NotAToken,
        false => TokenResponseError::NotAnObject,
    })
}

#[derive(Deserialize)]
struct Nested {
    token: Fields,
}

/// The fields of a token response that are read, in any form.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Fields {
    access_token: Option<Sensitive<String>>,
    expires_on: Value,
    expires_in: Value,
    refresh_in: Value,
    error: Value,
    error_description: Value,
}

impl Fields {
    fn token(self) -> Result<Sensitive<String>, TokenResponseError> {
        match self.access_token {
            Some(token) if token.expose().bytes().any(|byte| !byte.is_ascii_graphic()) => {
                Err(TokenResponseError::UnusableToken)
            }
            Some(token) if !token.expose().is_empty() => Ok(token),
            _ => Err(match (self.error, self.error_description) {
                (Value::String(error), Value::String(description)) => {
                    TokenResponseError::Failed(Excerpt::of(&format!("{error}: {description}")))
                }
                (Value::String(error), _) => TokenResponseError::Failed(Excerpt::of(&error)),
                _ => TokenResponseError::NoToken,
            }),
        }
    }

    fn expires_on(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let after = |field: &Value| now.checked_add(Duration::seconds(seconds(field)?));
        let latest = now.saturating_add(Duration::days(MAX_LIFETIME_DAYS));
        moment(&self.expires_on)
            .or_else(|| after(&self.expires_in))
            .or_else(|| after(&self.refresh_in))
            .map(|expires_on| expires_on.min(latest))
    }
}

/// A response in the form that both parsers of the SDK accept.
#[derive(Serialize)]
struct Canonical<'a> {
    token_type: &'static str,
    access_token: &'a str,
    expires_in: i64,
    ext_expires_in: i64,
    expires_on: String,
    resource: &'static str,
}

/// A policy that parses each successful response of a token source, and passes it on in the SDK's own form.
#[derive(Debug)]
pub(super) struct TokenResponsePolicy;

#[async_trait::async_trait]
impl Policy for TokenResponsePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let response = below(ctx, request, next).await?;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (status, headers, body) = response.try_into_raw_response().await?.deconstruct();
        let now = OffsetDateTime::now_utc();
        let token = TokenResponse::read(&body, now).map_err(unreadable)?;
        Ok(AsyncRawResponse::from_bytes(status, headers, token.canonical(now)))
    }
}

/// Returns the SDK error of a response that cannot be used.
pub(super) fn unreadable(error: TokenResponseError) -> Error {
    Error::with_error(ErrorKind::DataConversion, error, "no token in the answer")
}

#[cfg(test)]
mod tests;

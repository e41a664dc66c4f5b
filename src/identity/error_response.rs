//! Error responses of token sources.

use std::fmt;

use azure_core::{
    error::{Error, ErrorKind},
    http::headers::Headers,
};
use serde::Deserialize;

use crate::{
    text::{ServiceText, one_line},
    transport::ForeignAnswer,
};

use super::token_request_info::TokenSource;

/// The longest message of a source that is kept, in characters.
const MAX_WORDS: usize = 600;

/// An error response of a token source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenErrorResponse {
    status: u16,
    /// The number after `AADSTS`.
    number: Option<u32>,
    /// The error code of OAuth: `invalid_client`.
    error: String,
    words: String,
    /// Trace and correlation ids and the time.
    trace: String,
    /// Set if the answer is not in the format of a token source.
    foreign: Option<ForeignAnswer>,
}

impl TokenErrorResponse {
    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Returns Entra's error number, the one after `AADSTS`
    /// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// Returns the source's message on one line, without the ids and times that differ from try to try; may be empty.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Returns the trace and correlation ids and the time, which Azure's support needs; may be empty.
    pub fn trace(&self) -> &str {
        &self.trace
    }

    /// Returns whether something other than `source` answered, so that the status says nothing about the identity.
    ///
    /// Entra always answers in JSON. The services on the node and in the cluster also answer in plain text. A foreign
    /// answer with a status of throttling or an outage counts as the source's own: whatever is in the way passes with
    /// it.
    pub(super) fn is_foreign(&self, source: &TokenSource) -> bool {
        let passes = matches!(self.status, 408 | 429 | 500..);
        match (source, &self.foreign) {
            _ if self.status == 407 => true,
            (TokenSource::Nmi { .. }, _) | (_, None) => false,
            // Microsoft's answers while IMDS starts or is updated.
            (TokenSource::Imds, _) if matches!(self.status, 404 | 410) => false,
            (TokenSource::Imds | TokenSource::TokenProxy { .. }, Some(foreign)) => {
                foreign.is_page() && !passes
            }
            (TokenSource::Entra { .. }, Some(_)) => !passes,
        }
    }

    /// Returns the status, and Entra's error number if there is one: `status 503, AADSTS90033`.
    pub(super) fn with_status(&self) -> String {
        match self.number {
            Some(number) => format!("status {}, AADSTS{number}", self.status),
            None => format!("status {}", self.status),
        }
    }

    /// Returns the answer in one word.
    pub fn summary(&self) -> Summary<'_> {
        Summary(self)
    }

    /// Returns the response that an SDK error carries somewhere in its chain.
    pub(super) fn find(error: &Error) -> Option<Self> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<Error>()
                && let ErrorKind::HttpResponse { status, raw_response, .. } = error.kind()
            {
                let status = u16::from(*status);
                return Some(match raw_response {
                    Some(raw) => Self::of(status, raw.headers(), raw.body()),
                    None => Self::parse(status, b""),
                });
            }
            next = error.source();
        }
        None
    }

    /// Parses an OAuth 2.0 error (RFC 6749 section 5.2) with Entra's additions.
    pub fn parse(status: u16, body: &[u8]) -> Self {
        Self::of(status, &Headers::new(), body)
    }

    fn of(status: u16, headers: &Headers, body: &[u8]) -> Self {
        let answer: OAuthError = serde_json::from_slice(body).unwrap_or_default();
        let foreign = ForeignAnswer::detect(headers, body, !answer.error.is_empty());
        let said = foreign.as_ref().map_or(answer.error_description.as_str(), ForeignAnswer::words);
        let ServiceText { message, ids } = ServiceText::read(said, MAX_WORDS);
        let words = message.as_str();
        let (number, words) = match number(words) {
            Some((number, words)) => (Some(number), words),
            None => (answer.error_codes.first().copied(), words),
        };
        let words = words.to_owned();
        Self { status, number, error: one_line(&answer.error, MAX_WORDS), words, trace: ids, foreign }
    }
}

/// Splits `AADSTS70021: No matching …` into number and text.
fn number(words: &str) -> Option<(u32, &str)> {
    let rest = words.strip_prefix("AADSTS")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((rest[..end].parse().ok()?, rest[end..].trim_start_matches(':').trim_start()))
}

/// A short form of a response: `AADSTS70021`, `invalid_request`, or `status 503`, for a foreign page with what
/// answered.
#[derive(Debug)]
pub struct Summary<'a>(&'a TokenErrorResponse);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TokenErrorResponse { number: Some(number), .. } => write!(f, "AADSTS{number}"),
            TokenErrorResponse { error, .. } if !error.is_empty() => f.write_str(error),
            TokenErrorResponse { status, foreign, .. } => {
                match status {
                    407 => f.write_str("407 Proxy Authentication Required")?,
                    status => write!(f, "status {status}")?,
                }
                match foreign.as_ref().filter(|foreign| foreign.is_page()) {
                    Some(page) => write!(f, " with {page}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OAuthError {
    error: String,
    error_description: String,
    error_codes: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_try_to_try_is_set_apart() {
        let body = br#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1\r\nCorrelation ID: 2\r\nTimestamp: 3"}"#;
        let answer = TokenErrorResponse::parse(401, body);
        assert_eq!((answer.status(), answer.number()), (401, Some(7_000_215)));
        assert_eq!(answer.summary().to_string(), "AADSTS7000215");
        assert_eq!(answer.words(), "Invalid client secret provided.");
        assert_eq!(answer.trace(), "Trace ID: 1 Correlation ID: 2 Timestamp: 3");
    }

    #[test]
    fn an_answer_in_another_language_leaves_the_status() {
        for body in [&b"words"[..], b"", b"[]", br#"{"error":{}}"#] {
            assert_eq!(TokenErrorResponse::parse(502, body).summary().to_string(), "status 502");
        }
        let answer = TokenErrorResponse::parse(
            400,
            br#"{"error":"invalid_request","error_description":"Identity not found"}"#,
        );
        assert_eq!(
            (answer.summary().to_string().as_str(), answer.words()),
            ("invalid_request", "Identity not found")
        );
        let numbered = TokenErrorResponse::parse(400, br#"{"error":"x","error_codes":[90002]}"#);
        assert_eq!(numbered.number(), Some(90_002));
    }

    #[test]
    fn a_long_text_is_cut() {
        let body = serde_json::json!({"error": "x", "error_description": "ä".repeat(9_000)}).to_string();
        assert_eq!(TokenErrorResponse::parse(400, body.as_bytes()).words().chars().count(), MAX_WORDS + 1);
    }

    #[test]
    fn a_page_in_the_place_of_a_token_source_is_told_from_its_own_answers() {
        let entra = TokenSource::Entra { tenant: "t".parse().unwrap(), host: "h".to_owned() };
        let proxy = TokenSource::TokenProxy { tenant: "t".parse().unwrap(), host: "h".to_owned() };
        let nmi = TokenSource::Nmi { pod: "n/p".to_owned() };
        let page = &b"<title>Access Denied</title>Blocked"[..];
        let json = &br#"{"kind":"Status","message":"no binding"}"#[..];
        let own = &br#"{"error":"invalid_client"}"#[..];
        for (source, status, body, foreign) in [
            (&entra, 403, page, true),
            (&entra, 401, page, true),
            (&entra, 403, json, true),
            (&entra, 403, own, false),
            (&entra, 403, b"", false),
            (&entra, 407, own, true),
            (&entra, 429, page, false),
            (&entra, 503, page, false),
            (&proxy, 403, page, true),
            (&proxy, 403, json, false),
            (&TokenSource::Imds, 403, page, true),
            (&TokenSource::Imds, 404, page, false),
            (&TokenSource::Imds, 403, json, false),
            (&nmi, 403, page, false),
        ] {
            let answer = TokenErrorResponse::parse(status, body);
            assert_eq!(answer.is_foreign(source), foreign, "{source} {status}");
        }
        let answer = TokenErrorResponse::parse(403, page);
        assert_eq!(answer.summary().to_string(), "status 403 with an HTML page titled \"Access Denied\"");
        assert_eq!(answer.words(), "Blocked");
        assert_eq!(TokenErrorResponse::parse(403, json).words(), "no binding");
    }
}

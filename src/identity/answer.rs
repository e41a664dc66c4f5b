//! What a token source answers instead of a token.

use std::fmt;

use azure_core::error::{Error, ErrorKind};
use serde::Deserialize;

/// The longest text of a source's own that is told, in characters.
const LONGEST: usize = 600;

/// A token source's error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAnswer {
    status: u16,
    /// The number after `AADSTS`.
    number: Option<u32>,
    /// OAuth's own word: `invalid_client`.
    error: String,
    words: String,
    /// Trace and correlation ids and the time.
    trace: String,
}

impl TokenAnswer {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Entra's error number, the one after `AADSTS`
    /// (<https://learn.microsoft.com/entra/identity-platform/reference-error-codes>).
    pub fn number(&self) -> Option<u32> {
        self.number
    }

    /// The source's own words, on one line and without what differs from try to try at their end; may be empty.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Trace and correlation ids and the time, which Azure's support asks for; may be empty.
    pub fn trace(&self) -> &str {
        &self.trace
    }

    /// In one word what was answered.
    pub fn headline(&self) -> Headline<'_> {
        Headline(self)
    }

    /// The answer that an SDK error carries somewhere in its chain.
    pub(super) fn find(error: &Error) -> Option<Self> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<Error>()
                && let ErrorKind::HttpResponse { status, raw_response, .. } = error.kind()
            {
                let body = raw_response.as_ref().map(|response| response.body().as_ref()).unwrap_or_default();
                return Some(Self::parse(u16::from(*status), body));
            }
            next = error.source();
        }
        None
    }

    /// Reads an OAuth 2.0 error (RFC 6749 section 5.2) with Entra's additions.
    pub fn parse(status: u16, body: &[u8]) -> Self {
        let answer: OAuthError = serde_json::from_slice(body).unwrap_or_default();
        let text = answer.error_description.split_whitespace().collect::<Vec<_>>().join(" ");
        let (words, trace) = match text.find("Trace ID:") {
            Some(at) => (text[..at].trim_end(), text[at..].to_owned()),
            None => (text.as_str(), String::new()),
        };
        let (number, words) = match number(words) {
            Some((number, words)) => (Some(number), words),
            None => (answer.error_codes.first().copied(), words),
        };
        Self { status, number, error: shown(&answer.error), words: shown(words), trace: shown(&trace) }
    }
}

/// `AADSTS70021: No matching …` as number and text.
fn number(words: &str) -> Option<(u32, &str)> {
    let rest = words.strip_prefix("AADSTS")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((rest[..end].parse().ok()?, rest[end..].trim_start_matches(':').trim_start()))
}

/// Bounded, and without what does something to a terminal.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().filter(|character| !character.is_control()).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// `AADSTS70021`, `invalid_request`, or `status 503`.
#[derive(Debug)]
pub struct Headline<'a>(&'a TokenAnswer);

impl fmt::Display for Headline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            TokenAnswer { number: Some(number), .. } => write!(f, "AADSTS{number}"),
            TokenAnswer { error, .. } if !error.is_empty() => f.write_str(error),
            TokenAnswer { status, .. } => write!(f, "status {status}"),
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
        let answer = TokenAnswer::parse(401, body);
        assert_eq!((answer.status(), answer.number()), (401, Some(7_000_215)));
        assert_eq!(answer.headline().to_string(), "AADSTS7000215");
        assert_eq!(answer.words(), "Invalid client secret provided.");
        assert_eq!(answer.trace(), "Trace ID: 1 Correlation ID: 2 Timestamp: 3");
    }

    #[test]
    fn an_answer_in_another_language_leaves_the_status() {
        for body in [&b"<html>"[..], b"", b"[]", br#"{"error":{}}"#] {
            assert_eq!(TokenAnswer::parse(502, body).headline().to_string(), "status 502");
        }
        let answer = TokenAnswer::parse(
            400,
            br#"{"error":"invalid_request","error_description":"Identity not found"}"#,
        );
        assert_eq!(
            (answer.headline().to_string().as_str(), answer.words()),
            ("invalid_request", "Identity not found")
        );
        let numbered = TokenAnswer::parse(400, br#"{"error":"x","error_codes":[90002]}"#);
        assert_eq!(numbered.number(), Some(90_002));
    }

    #[test]
    fn a_long_text_is_cut() {
        let body = serde_json::json!({"error": "x", "error_description": "ä".repeat(9_000)}).to_string();
        assert_eq!(TokenAnswer::parse(400, body.as_bytes()).words().chars().count(), LONGEST + 1);
    }
}

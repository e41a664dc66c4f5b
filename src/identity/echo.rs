//! Answers that repeat what a token request presented, as some gateways' errors do.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, Context, Request,
    policies::{Policy, PolicyResult},
    request::Body,
};
use bytes::Bytes;
use memchr::memmem;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::transport::below;

/// The parameters of a token request that prove an identity (RFC 6749, section 2.3.1, and RFC 7521, section 4.2).
const PROOFS: [&str; 3] = ["client_secret", "client_assertion", "assertion"];

/// A shorter secret is not looked for: it could be any word.
const SHORTEST: usize = 6;

/// A policy that removes the proof of a request from its answer, whose texts become a pod's message.
#[derive(Debug)]
pub(super) struct EchoPolicy;

#[async_trait]
impl Policy for EchoPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let response = below(ctx, request, next).await?;
        let Body::Bytes(form) = request.body() else { return Ok(response) };
        let (status, headers, body) = response.try_into_raw_response().await?.deconstruct();
        let body: Bytes = body.into();
        let body = match without_proofs(form, &body) {
            Some(cleaned) => Bytes::from_owner(cleaned),
            None => body,
        };
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// Returns the answer without the proofs of the form; `None` if it repeats none.
fn without_proofs(form: &[u8], answer: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let proofs = form_urlencoded::parse(form).filter(|(name, _)| PROOFS.contains(&&**name));
    let mut cleaned: Option<Zeroizing<Vec<u8>>> = None;
    for proof in proofs.map(|(_, proof)| Zeroizing::new(proof.into_owned())) {
        if proof.len() < SHORTEST {
            continue;
        }
        for spelling in spellings(proof) {
            let text = cleaned.as_deref().map_or(answer, Vec::as_slice);
            if let Cow::Owned(replaced) = without(text, spelling.as_bytes()) {
                cleaned = Some(Zeroizing::new(replaced));
            }
        }
    }
    cleaned
}

/// Returns the proof as it is, in JSON, and as forms and URLs have it, with either case of hexadecimal digits.
fn spellings(proof: Zeroizing<String>) -> Vec<Zeroizing<String>> {
    let in_json = Zeroizing::new(serde_json::to_string(&*proof).unwrap_or_default());
    let in_json = in_json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or_default();
    let mut spellings = vec![Zeroizing::new(in_json.to_owned())];
    let in_form: String = form_urlencoded::byte_serialize(proof.as_bytes()).collect();
    for in_form in [Zeroizing::new(in_form.replace('+', "%20")), Zeroizing::new(in_form)] {
        spellings.push(Zeroizing::new(with_lower_digits(&in_form)));
        spellings.push(in_form);
    }
    spellings.push(proof);
    spellings.retain(|spelling| !spelling.is_empty());
    spellings
}

/// Returns the text with the digits of `%7E` in lower case.
fn with_lower_digits(text: &str) -> String {
    let mut digits = 0_u8;
    let lower = |character: char| {
        let is_digit = digits > 0;
        digits = if character == '%' { 2 } else { digits.saturating_sub(1) };
        if is_digit { character.to_ascii_lowercase() } else { character }
    };
    text.chars().map(lower).collect()
}

/// Replaces each occurrence of `secret`.
fn without<'a>(text: &'a [u8], secret: &[u8]) -> Cow<'a, [u8]> {
    if memmem::find(text, secret).is_none() {
        return text.into();
    }
    let mut replaced = Vec::with_capacity(text.len());
    let mut from = 0;
    for found in memmem::find_iter(text, secret) {
        replaced.extend_from_slice(&text[from..found]);
        replaced.extend_from_slice(b"(removed)");
        from = found + secret.len();
    }
    replaced.extend_from_slice(&text[from..]);
    replaced.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_removed_in_each_spelling_and_nothing_else_is() {
        let form = b"client_id=c-1&client_secret=a%2Bb%22%20canary&scope=s&client_assertion=eyJ.canary.x";
        for (answer, expected) in [
            (r#"{"error":"a+b\" canary, c-1"}"#, r#"{"error":"(removed), c-1"}"#),
            ("client_id=c-1&client_secret=a%2Bb%22+canary&x", "client_id=c-1&client_secret=(removed)&x"),
            (r#"<p>a+b" canary</p>a+b" canary"#, "<p>(removed)</p>(removed)"),
            ("client_secret=a%2bb%22%20canary&x", "client_secret=(removed)&x"),
            ("not eyJ.canary.x but", "not (removed) but"),
        ] {
            let cleaned = without_proofs(form, answer.as_bytes()).expect(answer);
            assert_eq!(std::str::from_utf8(&cleaned), Ok(expected));
        }
        let cleaned =
            without_proofs(b"client_secret=canary%22", br#"{"error":"canary\""}"#).expect("it is there");
        assert_eq!(*cleaned, br#"{"error":"(removed)"}"#);
        assert_eq!(without_proofs(form, br#"{"access_token":"canary"}"#), None);
        assert_eq!(without_proofs(b"client_secret=error", b"error"), None, "too short to be one");
    }
}

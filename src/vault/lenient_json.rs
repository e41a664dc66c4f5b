//! JSON that Go's parser accepts and the SDK's parser rejects.
//!
//! Compat: provider-azure parses with Go's `encoding/json`, which writes U+FFFD for half of a surrogate pair and for
//! bytes that are not UTF-8; the SDK's parser rejects both. It also rejects binary fields in the other alphabet of
//! base64, which emulators and gateways mix up.

use std::{borrow::Cow, sync::Arc};

use async_trait::async_trait;
use azure_core::{
    Bytes,
    http::{
        AsyncRawResponse, Context, Request,
        policies::{Policy, PolicyResult},
    },
};
use memchr::memchr;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::transport::below;

use super::json_values;

/// A policy that rewrites bodies that the SDK's parser would reject, and refuses those with too many values. All other
/// bodies pass unchanged, without a copy.
#[derive(Debug)]
pub(super) struct LenientJsonPolicy;

#[async_trait]
impl Policy for LenientJsonPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let response = below(ctx, request, next).await?;
        if !response.status().is_success() {
            return Ok(response);
        }
        let (status, headers, body) = response.try_into_raw_response().await?.deconstruct();
        let body: Bytes = body.into();
        // Before it is parsed here or by the SDK.
        json_values::check(&body)?;
        let body = match readable(request.url().path(), &body) {
            Some(rewritten) => Bytes::from_owner(rewritten),
            None => body,
        };
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// Returns the body in a form that the SDK parses; `None` if it needs no change.
fn readable(path: &str, body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = utf8(body);
    let text = surrogates(text.as_deref().map_or(body, Vec::as_slice)).or(text);
    base64(path, text.as_deref().map_or(body, Vec::as_slice)).or(text)
}

/// Replaces each byte that is not UTF-8 with U+FFFD.
fn utf8(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    std::str::from_utf8(body).err()?;
    // Reserved at once: a buffer that grows leaves copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(body.len() * REPLACEMENT.len()));
    for chunk in body.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        chunk.invalid().iter().for_each(|_| text.extend_from_slice(REPLACEMENT.as_bytes()));
    }
    Some(text)
}

/// U+FFFD, which Go writes for an invalid character.
const REPLACEMENT: &str = "\u{fffd}";

/// Replaces each escape of half a surrogate pair with `\ufffd`.
fn surrogates(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut repaired: Option<Zeroizing<Vec<u8>>> = None;
    let mut place = 0;
    // A backslash in JSON begins an escape of two or six bytes.
    while let Some(next) = text.get(place..).and_then(|rest| memchr(b'\\', rest)) {
        place += next;
        let unit = |place: usize| escaped_unit(text.get(place..)?);
        place += match (unit(place), unit(place + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                let repaired = repaired.get_or_insert_with(|| Zeroizing::new(text.to_vec()));
                repaired[place..place + 6].copy_from_slice(br"\ufffd");
                6
            }
            (Some(_), _) => 6,
            (None, _) => 2,
        };
    }
    repaired
}

/// Parses the UTF-16 code unit of an escape `\uXXXX` at the beginning of `text`.
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

/// Rewrites a certificate's `cer` to standard base64, and a key's parts to base64url. Neither is secret.
fn base64(path: &str, body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    type Spelling = fn(&str) -> Cow<'_, str>;
    let (at, fields, spelling): (&str, &[&str], Spelling) = if path.starts_with("/certificates/") {
        ("", &["cer"], standard)
    } else if path.starts_with("/keys/") {
        ("/key", &["n", "e", "x", "y"], url_safe)
    } else {
        return None;
    };
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    let object = answer.pointer_mut(at)?.as_object_mut()?;
    let mut changed = false;
    for field in fields {
        if let Some(Value::String(text)) = object.get_mut(*field)
            && let Cow::Owned(spelled) = spelling(text)
        {
            *text = spelled;
            changed = true;
        }
    }
    let rewritten = changed.then(|| serde_json::to_vec(&answer).ok()).flatten()?;
    Some(Zeroizing::new(rewritten))
}

/// Returns the text in RFC 4648's first alphabet, padded.
fn standard(text: &str) -> Cow<'_, str> {
    if !text.contains(['-', '_']) && text.len().is_multiple_of(4) {
        return text.into();
    }
    let mut spelled = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    while !spelled.len().is_multiple_of(4) {
        spelled.push('=');
    }
    spelled.into()
}

/// Returns the text in RFC 4648's second alphabet, without padding.
fn url_safe(text: &str) -> Cow<'_, str> {
    if !text.contains(['+', '/', '=']) {
        return text.into();
    }
    text.trim_end_matches('=').replace('+', "-").replace('/', "_").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, body: &[u8]) -> String {
        let body = readable(path, body).map_or(body.to_vec(), |body| body.to_vec());
        String::from_utf8(body).unwrap()
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        for (escaped, expected) in [
            (r"a\ud800b", "a\u{fffd}b"),
            (r"\udc00", "\u{fffd}"),
            (r"\ud800\ud800\udc00", "\u{fffd}\u{10000}"),
            (r"\ud83d\ude00", "\u{1f600}"),
            (r"\uD83D\uDE00", "\u{1f600}"),
            (r"\ud800\u0041", "\u{fffd}A"),
            (r"\ud800\\udc00", "\u{fffd}\\udc00"),
            (r"\\ud800", r"\ud800"),
            (r"\\\ud800", "\\\u{fffd}"),
            (r"\u0041\n\t", "A\n\t"),
        ] {
            let body = format!(r#"{{"value":"{escaped}"}}"#);
            let value: Value = serde_json::from_str(&read("/secrets/s/", body.as_bytes())).unwrap();
            assert_eq!(value["value"], expected, "{escaped}");
        }
    }

    #[test]
    fn a_byte_that_is_not_utf8_becomes_the_replacement_character() {
        let read = |bytes: &[u8]| read("/secrets/s/", &[br#"{"value":""#, bytes, br#""}"#].concat());
        assert_eq!(read(b"a\xffb"), "{\"value\":\"a\u{fffd}b\"}");
        assert_eq!(read(b"\xed\xa0\x80"), "{\"value\":\"\u{fffd}\u{fffd}\u{fffd}\"}");
        assert_eq!(read("ä".as_bytes()), r#"{"value":"ä"}"#);
    }

    #[test]
    fn a_certificate_in_any_spelling_of_base64_is_read() {
        for text in ["+/8=", "-_8=", "-_8", "+/8"] {
            let body = format!(r#"{{"id":"i","cer":"{text}"}}"#);
            let value: Value = serde_json::from_str(&read("/certificates/c/", body.as_bytes())).unwrap();
            assert_eq!((&value["id"], &value["cer"]), (&"i".into(), &"+/8=".into()), "{text}");
        }
    }

    #[test]
    fn a_key_in_any_spelling_of_base64_is_read() {
        for text in ["+/8=", "-_8=", "-_8", "+/8"] {
            let body = format!(r#"{{"key":{{"kty":"RSA","n":"{text}"}}}}"#);
            let value: Value = serde_json::from_str(&read("/keys/k/", body.as_bytes())).unwrap();
            assert_eq!(value["key"]["n"], "-_8");
        }
    }

    #[test]
    fn what_needs_no_change_is_not_copied() {
        for (path, body) in [
            ("/secrets/s/", &br#"{"value":"a\u00e4\ud83d\ude00","cer":"-_"}"#[..]),
            ("/certificates/c/", br#"{"cer":"+/8="}"#),
            ("/certificates/c/", b"<html>"),
            ("/keys/k/", br#"{"key":{"n":"-_8"}}"#),
            ("/keys/k/", br#"{"value":[]}"#),
            ("/secrets/s/", br"\"),
            ("/secrets/s/", br"\u12"),
            ("/secrets/s/", b""),
        ] {
            assert_eq!(readable(path, body), None);
        }
    }
}

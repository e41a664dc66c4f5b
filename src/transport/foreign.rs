//! Error answers from something other than the Azure service: the page of a proxy, a firewall or a gateway on the
//! way.

use std::fmt;

use azure_core::http::headers::{CONTENT_TYPE, Headers};
use serde::Deserialize;
use serde_json::Value;

use crate::text::one_line;

/// The longest title that is shown, in characters.
const MAX_TITLE: usize = 100;

/// The longest text that is shown, in characters.
const MAX_WORDS: usize = 200;

/// The longest part of a page that is searched, in bytes.
const MAX_PAGE: usize = 64 * 1024;

/// The longest run of letters and digits that is shown. A page may repeat the request, and a token is longer.
const MAX_RUN: usize = 32;

/// An answer of another program in place of an Azure service.
///
/// It shows a page's title and first words, a plain text's first words, and the fields of JSON that usually hold
/// messages. A body in any other format is not shown, since it may hold the requested secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignAnswer {
    format: Format,
    title: String,
    words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Page,
    Json,
    Text,
}

impl ForeignAnswer {
    /// Detects a foreign error answer. Returns `None` if the answer is the service's own, or has no body to decide
    /// by.
    ///
    /// Azure's services answer in JSON of a known form, for which `known` is true, or with headers named `x-ms-…`.
    /// None of them answers with a page, whatever the headers are.
    pub fn detect(headers: &Headers, body: &[u8], known: bool) -> Option<Self> {
        let body = body.trim_ascii();
        if known || body.is_empty() {
            return None;
        }
        let body = String::from_utf8_lossy(body);
        let content_type = headers.get_optional_str(&CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        if is_markup(&body) || content_type.starts_with("text/html") {
            let Page { title, words } = Page::read(&body);
            return Some(Self { format: Format::Page, title, words });
        }
        if headers.iter().any(|(name, _)| name.as_str().starts_with("x-ms-")) {
            return None;
        }
        // The JSON parser would accept an array of the fields in their order.
        if body.starts_with('{')
            && let Ok(fields) = serde_json::from_str::<Messages>(&body)
        {
            return Some(Self { format: Format::Json, title: String::new(), words: fields.first() });
        }
        let words =
            if content_type.starts_with("text/plain") { shown(&body, MAX_WORDS) } else { String::new() };
        Some(Self { format: Format::Text, title: String::new(), words })
    }

    /// Returns the title of a page in a successful answer. Nothing else of it may be shown, since it may hold a
    /// secret.
    pub fn title_of(body: &[u8]) -> Option<String> {
        let body = String::from_utf8_lossy(body.trim_ascii());
        is_markup(&body).then(|| Page::read(&body).title)
    }

    /// Returns whether the answer is HTML or XML, which no Azure service sends.
    pub fn is_page(&self) -> bool {
        self.format == Format::Page
    }

    /// Returns the first words behind the title, on one line; may be empty.
    pub fn words(&self) -> &str {
        &self.words
    }
}

impl fmt::Display for ForeignAnswer {
    /// Formats the answer's kind: `an HTML page titled "Access Denied"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.format {
            Format::Page => "an HTML page",
            Format::Json => "JSON of another form",
            Format::Text => "a text",
        })?;
        if self.title.is_empty() { Ok(()) } else { write!(f, " titled \"{}\"", self.title) }
    }
}

/// Returns whether a text begins like HTML or XML.
fn is_markup(text: &str) -> bool {
    let mut characters = text.trim_start_matches('\u{feff}').trim_start().chars();
    characters.next() == Some('<')
        && characters.next().is_some_and(|next| next.is_ascii_alphabetic() || ['!', '?'].contains(&next))
}

/// The fields in which gateways put their messages.
#[derive(Deserialize)]
struct Messages {
    #[serde(default)]
    message: Value,
    #[serde(default)]
    error_description: Value,
    #[serde(default)]
    detail: Value,
    #[serde(default)]
    title: Value,
    #[serde(default)]
    reason: Value,
    #[serde(default)]
    error: Value,
}

impl Messages {
    fn first(&self) -> String {
        let all =
            [&self.message, &self.error_description, &self.detail, &self.title, &self.reason, &self.error];
        let text = all.into_iter().filter_map(Value::as_str).find(|text| !text.trim().is_empty());
        text.map(|text| shown(text, MAX_WORDS)).unwrap_or_default()
    }
}

/// The visible text of a page.
struct Page {
    title: String,
    words: String,
}

impl Page {
    fn read(markup: &str) -> Self {
        let markup = &markup[..markup.floor_char_boundary(MAX_PAGE)];
        let lower = markup.to_ascii_lowercase();
        let (mut title, mut words) = ("", String::new());
        let mut at = 0;
        while let Some(open) = lower[at..].find('<').map(|open| at + open) {
            words.push_str(&markup[at..open]);
            let end_of =
                |end: &str| lower[open..].find(end).map_or(lower.len(), |found| open + found + end.len());
            if lower[open..].starts_with("<!--") {
                at = end_of("-->");
                continue;
            }
            at = end_of(">");
            words.push(' ');
            // The content of these elements is not text of the page.
            let name =
                lower[open + 1..].split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
            if ["title", "script", "style"].contains(&name) {
                let close = lower[at..].find(&format!("</{name}")).map_or(lower.len(), |found| at + found);
                if name == "title" && title.is_empty() {
                    title = &markup[at..close];
                }
                at = close;
            }
        }
        words.push_str(&markup[at..]);
        Self { title: shown(&unescaped(title), MAX_TITLE), words: shown(&unescaped(&words), MAX_WORDS) }
    }
}

/// Replaces the character references that are common in titles (HTML section 13.5).
fn unescaped(text: &str) -> String {
    let mut plain = text.to_owned();
    // The ampersand is last, since it begins all others.
    for (reference, character) in [
        ("&nbsp;", " "),
        ("&#160;", " "),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(reference, character);
    }
    plain
}

/// Returns at most `max_chars` characters on one line, without words that may contain part of a token.
fn shown(text: &str, max_chars: usize) -> String {
    let is_long = |run: &str| run.chars().count() > MAX_RUN;
    let in_run = |character: char| character.is_ascii_alphanumeric() || "_~+=".contains(character);
    let words =
        text.split_whitespace().map(|word| if word.split(|c| !in_run(c)).any(is_long) { "…" } else { word });
    one_line(&words.collect::<Vec<_>>().join(" "), max_chars)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &'static str)]) -> Headers {
        let mut headers = Headers::new();
        all.iter().for_each(|(name, value)| headers.insert(*name, *value));
        headers
    }

    fn detect(all: &[(&'static str, &'static str)], body: &str) -> Option<(String, String)> {
        let foreign = ForeignAnswer::detect(&headers(all), body.as_bytes(), false)?;
        Some((foreign.to_string(), foreign.words().to_owned()))
    }

    #[test]
    fn an_answer_is_told_from_a_services_own_by_its_headers_and_its_body() {
        let html = ("content-type", "text/html");
        let plain = ("content-type", "text/plain; charset=utf-8");
        let azure = ("x-ms-request-id", "1");
        for (all, body, expected) in [
            (&[html][..], "", None),
            (&[], " \r\n", None),
            (&[azure], "words", None),
            (&[azure], r#"{"message":"m"}"#, None),
            (&[plain], "RBAC: access denied", Some(("a text", "RBAC: access denied"))),
            (&[], "words", Some(("a text", ""))),
            (&[("content-type", "application/json")], "words", Some(("a text", ""))),
            (
                &[],
                r#"{"value":"v","message":"Blocked\nby policy"}"#,
                Some(("JSON of another form", "Blocked by policy")),
            ),
            (&[], r#"{"value":"v","error":{"a":"b"}}"#, Some(("JSON of another form", ""))),
            (
                &[],
                "<html>Proxy Authentication Required</html>",
                Some(("an HTML page", "Proxy Authentication Required")),
            ),
            (&[html], "Blocked", Some(("an HTML page", "Blocked"))),
            (&[azure], "<!DOCTYPE html><title>Denied</title>", Some(("an HTML page titled \"Denied\"", ""))),
            (&[], "\u{feff}<?xml version='1.0'?><Code>No</Code>", Some(("an HTML page", "No"))),
            (&[plain], "<- words", Some(("a text", "<- words"))),
            (&[], r#"["canary"]"#, Some(("a text", ""))),
        ] {
            let found = detect(all, body);
            let expected = expected.map(|(what, words)| (what.to_owned(), words.to_owned()));
            assert_eq!(found, expected, "{all:?} {body}");
        }
        let known = ForeignAnswer::detect(&headers(&[html]), b"words", true);
        assert_eq!(known, None, "a body of the service's own form is the service's");
    }

    #[test]
    fn a_page_is_shown_by_its_title_and_its_first_words() {
        for (page, title, words) in [
            (
                "<html><head><title>Access Denied</title></head><body>Blocked by policy: category unknown</body></html>",
                "Access Denied",
                "Blocked by policy: category unknown",
            ),
            (
                "<HTML>\r\n<HEAD><TITLE lang=en>\n 407 Proxy&nbsp;Authentication\tRequired </TITLE>\n<style>p {color: red}</style></HEAD>\
                 <!-- a > comment --><script>if (1 < 2) { x() }</script ><p>Log in &amp; go&#39;on&lt;br&gt;</p></HTML>",
                "407 Proxy Authentication Required",
                "Log in & go'on<br>",
            ),
            ("<title>one</title><title>two</title>x", "one", "x"),
            ("<title>never closed", "never closed", ""),
            ("<p>cut <", "", "cut"),
            ("<script>never closed", "", ""),
            ("<!-- never closed <b>x</b>", "", ""),
        ] {
            let Page { title: found_title, words: found_words } = Page::read(page);
            assert_eq!((found_title.as_str(), found_words.as_str()), (title, words), "{page}");
        }
    }

    #[test]
    fn a_page_that_repeats_the_request_does_not_show_its_token() {
        let token = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJvaWQiOiIxIn0.c2lnbmF0dXJl-X_Y";
        let page = format!(
            "<title>{token}</title><pre>Authorization: Bearer {token}\nclient_secret=aB3~{}</pre>",
            "x".repeat(36)
        );
        let foreign = ForeignAnswer::detect(&headers(&[]), page.as_bytes(), false).unwrap();
        assert_eq!(foreign.to_string(), "an HTML page titled \"…\"");
        assert_eq!(foreign.words(), "Authorization: Bearer … …");
        let id = "<p>Support id 0f8fad5b-d9cb-469f-a165-70867728950e</p>";
        assert_eq!(detect(&[], id).unwrap().1, "Support id 0f8fad5b-d9cb-469f-a165-70867728950e");
    }

    #[test]
    fn what_is_shown_is_short_and_does_nothing_to_a_terminal() {
        let page = format!("<title>a\u{1b}[2J\u{202e}b {}</title>{}", "ä ".repeat(900), "ö ".repeat(900_000));
        let foreign = ForeignAnswer::detect(&headers(&[]), page.as_bytes(), false).unwrap();
        assert!(foreign.title.starts_with("a [2J b ä ä"), "{foreign}");
        assert!(foreign.title.chars().count() <= MAX_TITLE + 1 && foreign.title.ends_with('…'), "{foreign}");
        assert!(foreign.words().chars().count() <= MAX_WORDS + 1, "{foreign}");
        let nested = "<".repeat(1_000_000);
        assert!(
            ForeignAnswer::detect(&headers(&[("content-type", "text/html")]), nested.as_bytes(), false)
                .is_some()
        );
    }

    #[test]
    fn of_a_successful_answer_the_title_of_a_page_is_all_that_is_shown() {
        assert_eq!(
            ForeignAnswer::title_of(b"<html><title>Sign in</title>canary</html>").as_deref(),
            Some("Sign in")
        );
        assert_eq!(ForeignAnswer::title_of(b"<html>canary").as_deref(), Some(""));
        assert_eq!(ForeignAnswer::title_of(b"canary"), None);
    }
}

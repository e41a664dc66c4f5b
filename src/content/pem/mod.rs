//! PEM text: writing blocks, and splitting a text into certificates and keys.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use zeroize::Zeroizing;

use super::encoding;
use crate::spec::sensitive::Sensitive;

/// A PEM text split into certificates and all other blocks.
#[derive(Debug)]
pub struct CertificatesAndKeys {
    /// The `CERTIFICATE` blocks, in order.
    pub certificates: Sensitive<Vec<u8>>,
    /// All other blocks, in order; mostly private keys.
    pub keys: Sensitive<Vec<u8>>,
}

/// Splits `text` into certificates and keys. Each block is written again with lines of 64 columns.
///
/// Compat: blocks are found as Go's `encoding/pem` finds them. Text around blocks, CRLF and blanks are dropped, headers
/// are kept, and broken blocks are skipped. A text without blocks gives two empty results.
pub fn split(text: &str) -> CertificatesAndKeys {
    let (mut certificates, mut keys) = (PemText::new(), PemText::new());
    for block in blocks(text) {
        let side = if block.label == CERTIFICATE { &mut certificates } else { &mut keys };
        side.push(&block);
    }
    CertificatesAndKeys { certificates: certificates.into_sensitive(), keys: keys.into_sensitive() }
}

/// Returns the complete blocks of `text`, found as [`split`] finds them.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (block, after) = Block::first(rest)?;
        rest = after;
        Some(block)
    })
}

/// Returns the complete blocks of `text`, and then an error if other blocks begin in it. What a broken block was to be
/// would otherwise count as missing.
pub(super) fn whole_blocks(text: &str) -> impl Iterator<Item = Result<Block<'_>, BrokenBlock>> {
    // Editors of Windows begin a text with a mark, and the first block would not begin its line.
    let text = text.trim_start_matches('\u{feff}');
    let mut unread = begun(text);
    let mut complete = blocks(text);
    std::iter::from_fn(move || match complete.next() {
        Some(block) => {
            unread = unread.saturating_sub(1);
            Some(Ok(block))
        }
        None => (std::mem::take(&mut unread) > 0).then_some(Err(BrokenBlock)),
    })
}

/// A block that begins, and is cut off, indented or not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokenBlock;

/// Returns how many blocks of `text` begin, also those that cannot be parsed, such as indented ones.
fn begun(text: &str) -> usize {
    let before_begin = |c: char| c.is_whitespace() || c == '\u{feff}';
    text.lines().filter(|line| line.trim_start_matches(before_begin).starts_with(BEGIN)).count()
}

/// Returns whether a text looks like PEM, even if no block in it can be parsed.
pub fn is_pem(text: &str) -> bool {
    text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').starts_with(BEGIN)
        || text.contains(concat!("\n", "-----BEGIN "))
}

/// A PEM text under construction. Its memory is wiped, also after reallocation.
pub(super) struct PemText(Zeroizing<Vec<u8>>);

impl PemText {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }

    /// Appends a block without headers.
    pub(super) fn push_block(&mut self, label: &str, content: &[u8]) {
        self.lines(&["-----BEGIN ", label, "-----\n"]);
        self.content(content);
        self.lines(&["-----END ", label, "-----\n"]);
    }

    pub(super) fn into_sensitive(mut self) -> Sensitive<Vec<u8>> {
        Sensitive::new(std::mem::take(&mut *self.0))
    }

    /// Returns the text of a public key or certificate, which needs no wiping.
    pub(super) fn into_public(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("labels are text and the rest is base64")
    }

    fn push(&mut self, block: &Block<'_>) {
        self.lines(&["-----BEGIN ", block.label, "-----\n"]);
        // RFC 1421, section 4.6.1.1: Proc-Type is the first header. Go's `encoding/pem` sorts the others.
        let (first, others): (Vec<_>, Vec<_>) =
            block.headers.iter().partition(|(key, _)| **key == "Proc-Type");
        for (key, value) in first.into_iter().chain(others) {
            self.lines(&[*key, ": ", *value, "\n"]);
        }
        if !block.headers.is_empty() {
            self.lines(&["\n"]);
        }
        self.content(&block.content);
        self.lines(&["-----END ", block.label, "-----\n"]);
    }

    fn content(&mut self, content: &[u8]) {
        for line in content.chunks(BYTES_PER_LINE) {
            let mut encoded = Zeroizing::new([0; COLUMNS]);
            let length = BASE64.encode_len(line.len());
            BASE64.encode_mut(line, &mut encoded[..length]);
            self.append(&encoded[..length]);
            self.append(b"\n");
        }
    }

    fn lines(&mut self, parts: &[&str]) {
        for part in parts {
            self.append(part.as_bytes());
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(4096).next_power_of_two()));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

/// A parsed block.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    pub(super) headers: BTreeMap<&'a str, &'a str>,
    pub(super) content: Zeroizing<Vec<u8>>,
}

impl<'a> Block<'a> {
    pub(super) fn label(&self) -> &'a str {
        self.label
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns whether the content is encrypted with a password, by the headers of RFC 1421, section 4.6.1.1.
    pub(super) fn is_encrypted(&self) -> bool {
        self.headers.get("Proc-Type").is_some_and(|value| value.ends_with("ENCRYPTED"))
    }

    /// Returns the first complete block of `text`, and the text after it.
    ///
    /// A block is found by its end: the first END line, and the last BEGIN line before it. If the two do not form a
    /// block, the search continues behind the END line.
    fn first(text: &'a str) -> Option<(Self, &'a str)> {
        let mut from = 0;
        loop {
            let end = from + text[from..].find(END)?;
            let trailer = end + END.len();
            match Self::between(text, from, end) {
                Attempt::Block(block) => return Some((block, line(&text[trailer..]).1)),
                Attempt::Broken => from = trailer,
                Attempt::Endless => return None,
            }
        }
    }

    fn between(text: &'a str, from: usize, end: usize) -> Attempt<'a> {
        let Some(begin) = text[from..end].rfind(BEGIN).map(|at| from + at) else {
            return Attempt::Broken;
        };
        if begin > from && !text[..begin].ends_with('\n') {
            return Attempt::Broken;
        }
        let (first_line, mut rest) = line(&text[begin + BEGIN.len()..]);
        let Some(label) = first_line.strip_suffix(DASHES) else {
            return Attempt::Broken;
        };

        let mut headers = BTreeMap::new();
        loop {
            if rest.is_empty() {
                return Attempt::Endless;
            }
            let (header, next) = line(rest);
            let Some((key, value)) = header.split_once(':') else {
                break;
            };
            headers.insert(key.trim(), value.trim());
            rest = next;
        }
        let start = text.len() - rest.len();
        let trailer = end + END.len();
        if !headers.is_empty() && start > end {
            return if start > trailer { Attempt::Endless } else { Attempt::Broken };
        }
        if !closes(&text[trailer..], label) {
            return Attempt::Broken;
        }

        // Without content, BEGIN and END share a line end, and `start` is behind `end`.
        let encoded = Zeroizing::new(
            text.get(start..end)
                .unwrap_or_default()
                .bytes()
                .filter(|byte| !matches!(byte, b' ' | b'\t'))
                .collect::<Vec<_>>(),
        );
        match encoding::base64(&encoded) {
            Ok(content) => Attempt::Block(Self { label, headers, content }),
            Err(_) => Attempt::Broken,
        }
    }
}

enum Attempt<'a> {
    Block(Block<'a>),
    /// There is no block here, but there may be one further on.
    Broken,
    /// The headers run past the END line, so nothing behind it is parsed.
    Endless,
}

/// Returns whether `text`, which follows `-----END `, closes a block with `label`. Only blanks may follow.
fn closes(text: &str, label: &str) -> bool {
    text.strip_prefix(label)
        .and_then(|text| text.strip_prefix(DASHES))
        .is_some_and(|text| line(text).0.is_empty())
}

/// Returns the first line without its end and trailing blanks, and the text after it.
fn line(text: &str) -> (&str, &str) {
    let (line, rest) = match text.split_once('\n') {
        Some((line, rest)) => (line.strip_suffix('\r').unwrap_or(line), rest),
        None => (text, ""),
    };
    (line.trim_end_matches([' ', '\t']), rest)
}

pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const PRIVATE_KEY: &str = "PRIVATE KEY";
pub(super) const PUBLIC_KEY: &str = "PUBLIC KEY";

const BEGIN: &str = "-----BEGIN ";
const END: &str = "\n-----END ";
const DASHES: &str = "-----";
const COLUMNS: usize = 64;
const BYTES_PER_LINE: usize = COLUMNS / 4 * 3;

#[cfg(test)]
mod tests;

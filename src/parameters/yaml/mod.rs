//! Parses YAML that users wrote, and explains why a text cannot be parsed.

mod line;
mod node;
mod oddity;

use std::fmt;

use serde::de::DeserializeOwned;

use super::MAX_BYTES;

pub(super) use self::{
    line::{Line, Lines},
    node::{Any, Key, Kind, Node},
    oddity::Oddity,
};

/// A description of the expected YAML.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// A noun phrase: `an object's fields`.
    pub(super) name: &'static str,
    /// A sentence with an example.
    pub(super) example: &'static str,
}

/// Parses a YAML text.
///
/// # Errors
/// The parser's message on one line, with the line of the text that it refers to. The depth of the text is bounded, and
/// so is its size with each alias expanded: in proportion to the text.
pub(super) fn read<T: DeserializeOwned>(text: &str, wanted: Wanted) -> Result<T, String> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        // An expanded alias counts each time it is used.
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: (text.len() + SHARED_NODES).min(MAX_NODES),
            max_total_scalar_bytes: (4 * text.len() + SHARED_BYTES).min(2 * MAX_BYTES),
            // A hundred entries may share one anchor. The bounds above count what that makes of the text.
            enforce_alias_anchor_ratio: false,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        use serde_saphyr::Error::{Budget, DuplicateMappingKey};
        if !matches!(error, Budget { .. } | DuplicateMappingKey { .. })
            && let Some(oddity) = Oddity::of(text)
        {
            return not_the_yaml(wanted, oddity, Some(wanted.example));
        }
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        // In a block, the parser's location is the start of the block.
        if message.starts_with("unexpected character")
            && let Some(oddity) = Oddity::of_control(text)
        {
            return not_the_yaml(wanted, oddity, None);
        }
        // The parser's advice addresses programmers.
        let message = [", set DuplicateKeyPolicy", "; use from_str"]
            .iter()
            .fold(message, |message, advice| message.split(advice).next().unwrap_or_default());
        let message = &message[..message.floor_char_boundary(MAX_MESSAGE)];
        let line = error.location().and_then(|location| Lines::of(text).at(location.line()));
        let line = line.map(|line| format!(": {}", line.quoted())).unwrap_or_default();
        not_the_yaml(wanted, format!("{message}{line}"), None)
    })
}

/// Returns the message for a text that is valid YAML, but `what` instead of what is wanted.
pub(super) fn other_text(text: &str, what: impl fmt::Display, wanted: Wanted) -> String {
    match Oddity::of(text) {
        Some(oddity) => not_the_yaml(wanted, oddity, Some(wanted.example)),
        None => other_node(Lines::of(text).first(), what, wanted),
    }
}

/// Returns the message for a part of a text, in this line, that is `what` instead of what is wanted.
pub(super) fn other_node(line: Option<Line<'_>>, what: impl fmt::Display, wanted: Wanted) -> String {
    let line = line.map(|line| format!(" at {line}")).unwrap_or_default();
    not_the_yaml(wanted, format!("{what}{line}"), Some(wanted.example))
}

fn not_the_yaml(wanted: Wanted, cause: impl fmt::Display, example: Option<&str>) -> String {
    let example = example.map(|example| format!("; {example}")).unwrap_or_default();
    format!("is not the YAML of {}: {cause}{example}", wanted.name)
}

/// Nested lists and maps; `objects` needs three levels.
const MAX_DEPTH: usize = 16;

/// Nodes that a text may have beyond one for each of its bytes, which only aliases can make: those of a map of fields
/// that a few hundred entries share.
const SHARED_NODES: usize = 4_000;

/// Bytes of scalars that a text may have beyond four times its own, which only aliases can make.
const SHARED_BYTES: usize = 64 << 10;

/// The most nodes of a text: 25 for each of 4,000 entries. A node of an entry takes about 200 bytes when it is parsed.
const MAX_NODES: usize = 100_000;

/// Longest message of the parser, in bytes: it may quote a key of any length.
const MAX_MESSAGE: usize = 256;

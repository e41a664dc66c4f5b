//! YAML as users write it, and what is wrong with one that cannot be read.

mod line;
mod node;
mod oddity;

use std::fmt;

use serde::de::DeserializeOwned;

pub(super) use self::{
    line::{Line, Lines},
    node::{Any, Key, Kind, Node},
    oddity::Oddity,
};

/// What a text should be, in words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// A noun: `an object's fields`.
    pub(super) name: &'static str,
    /// What it looks like.
    pub(super) example: &'static str,
}

/// Reads a YAML text.
///
/// # Errors
/// The parser's message on one line, with the line of the text that it is about. The depth of the text and what its
/// aliases come to are bounded.
pub(super) fn read<T: DeserializeOwned>(text: &str, wanted: Wanted) -> Result<T, String> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        // What aliases repeat counts as often as it is repeated.
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_total_scalar_bytes: 2 * MAX_TEXT },
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
        // The parser's advice is for programmers.
        let message = [", set DuplicateKeyPolicy", "; use from_str"]
            .iter()
            .fold(message, |message, advice| message.split(advice).next().unwrap_or_default());
        let message = &message[..message.floor_char_boundary(MAX_MESSAGE)];
        let line = error.location().and_then(|location| Lines::of(text).at(location.line()));
        let line = line.map(|line| format!(": {}", line.quoted())).unwrap_or_default();
        not_the_yaml(wanted, format!("{message}{line}"), None)
    })
}

/// Returns the message for a text that is YAML, and yet of another kind than it should be: `what`.
pub(super) fn other_text(text: &str, what: impl fmt::Display, wanted: Wanted) -> String {
    match Oddity::of(text) {
        Some(oddity) => not_the_yaml(wanted, oddity, Some(wanted.example)),
        None => other_node(Lines::of(text).first(), what, wanted),
    }
}

/// Returns the message for a part of a text, in this line of it, that is of another kind than it should be: `what`.
pub(super) fn other_node(line: Option<Line<'_>>, what: impl fmt::Display, wanted: Wanted) -> String {
    let line = line.map(|line| format!(" at {line}")).unwrap_or_default();
    not_the_yaml(wanted, format!("{what}{line}"), Some(wanted.example))
}

fn not_the_yaml(wanted: Wanted, cause: impl fmt::Display, example: Option<&str>) -> String {
    let example = example.map(|example| format!("; {example}")).unwrap_or_default();
    format!("is not the YAML of {}: {cause}{example}", wanted.name)
}

/// Of a text, in bytes. etcd keeps nothing above 1.5 MiB, a SecretProviderClass included.
pub(super) const MAX_TEXT: usize = 2 << 20;

/// Lists and maps in each other; `objects` needs three.
const MAX_DEPTH: usize = 16;

/// Of what the parser says, in bytes: it may quote a key of any length.
const MAX_MESSAGE: usize = 256;

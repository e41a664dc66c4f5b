//! Excerpts of foreign texts, as errors quote them.

use std::fmt;

/// Longest excerpt, in bytes: enough to recognise the text, and short enough for an event.
const MAX_EXCERPT_BYTES: usize = 128;

/// The beginning of a foreign text. It is shown in quotes and on one line, with `…` where it was truncated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    text: String,
    cut: bool,
}

impl Excerpt {
    /// Returns the beginning of `text`.
    pub fn of(text: &str) -> Self {
        let kept = &text[..text.floor_char_boundary(MAX_EXCERPT_BYTES)];
        Self { text: kept.to_owned(), cut: kept.len() < text.len() }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)?;
        if self.cut { f.write_str("…") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_short_and_on_one_line() {
        assert_eq!(Excerpt::of("a\nb").to_string(), "\"a\\nb\"");
        assert_eq!(
            Excerpt::of(&"x".repeat(MAX_EXCERPT_BYTES)).to_string(),
            format!("\"{}\"", "x".repeat(MAX_EXCERPT_BYTES))
        );
        let long = format!("{}é and a megabyte", "x".repeat(MAX_EXCERPT_BYTES - 1));
        assert_eq!(Excerpt::of(&long).to_string(), format!("\"{}\"…", "x".repeat(MAX_EXCERPT_BYTES - 1)));
    }
}

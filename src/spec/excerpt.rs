//! What someone else wrote, as an error quotes it.

use std::fmt;

/// The most that is kept of a text, in bytes: a person recognises what was written, and an event has room for the rest.
const MAX_EXCERPT_BYTES: usize = 128;

/// The beginning of a text from outside; shown in quotes, on one line whatever is in it, with `…` where it was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    text: String,
    cut: bool,
}

impl Excerpt {
    /// The beginning of `text`.
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

//! A text with a name, and places in it as people count them.

use std::{fmt, sync::Arc};

/// A text and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The path, or `<stdin>`.
    pub(crate) name: String,
    /// The text. The places of each class in it share it.
    pub(crate) text: Arc<str>,
    /// The offset of each line.
    lines: Vec<usize>,
}

/// A place in a text, counted from 1, in lines and characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Source {
    pub(crate) fn new(name: String, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect();
        Self { name, text: text.into(), lines }
    }

    /// Returns the position of an offset in bytes.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(begin..offset).unwrap_or_default().chars().count() + 1;
        Position { line, column }
    }
}

impl fmt::Display for Position {
    /// Writes `12:5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let source = Source::new("a".to_owned(), "ab\näc\n".to_owned());
        for (offset, expected) in
            [(0, "1:1"), (1, "1:2"), (2, "1:3"), (3, "2:1"), (5, "2:2"), (7, "3:1"), (99, "3:1")]
        {
            assert_eq!(source.position(offset).to_string(), expected, "{offset}");
        }
    }
}

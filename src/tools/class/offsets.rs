//! The places of a scalar's characters in the text that holds the scalar.

use granit_parser::ScalarStyle;

use super::node::{Content, Node};

/// A map from offsets in a scalar's value to offsets in the text around it, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OffsetMap {
    /// Sorted by value. Within a run, both offsets grow alike.
    runs: Vec<Run>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    value: usize,
    source: usize,
}

impl OffsetMap {
    /// Returns the map of a text that is its own source.
    pub(crate) fn identity() -> Self {
        Self { runs: vec![Run { value: 0, source: 0 }] }
    }

    /// Returns the map of the value of `node`, a scalar in `text`. Without a scalar, all offsets lead to the node.
    ///
    /// The value is aligned with its notation: indentation, folded line ends, escapes and quotes have no counterpart in
    /// the value.
    pub(crate) fn of(node: &Node, text: &str) -> Self {
        let begin = node.span.start;
        let mut runs = vec![Run { value: 0, source: begin }];
        if let Content::Scalar { value, style, indentation } = &node.content {
            let source = text.get(node.span.clone()).unwrap_or_default();
            let mut aligner = Aligner { source, at: 0, style: *style, indentation: *indentation };
            aligner.skip_quote();
            for (offset, c) in value.char_indices() {
                let source = begin + aligner.place_of(c);
                match runs.last_mut() {
                    Some(run) if run.source + (offset - run.value) == source => {}
                    Some(run) if run.value == offset => run.source = source,
                    _ => runs.push(Run { value: offset, source }),
                }
            }
        }
        Self { runs }
    }

    /// Returns the offset in the source of an offset in the value.
    pub(crate) fn source(&self, value: usize) -> usize {
        let next = self.runs.partition_point(|run| run.value <= value);
        self.runs.get(next.saturating_sub(1)).map_or(value, |run| run.source + (value - run.value))
    }

    /// Returns this map, with its source in the value of `outer`, as a map to the source of `outer`.
    pub(crate) fn within(&self, outer: &Self) -> Self {
        let mut runs = Vec::new();
        for (index, run) in self.runs.iter().enumerate() {
            runs.push(Run { value: run.value, source: outer.source(run.source) });
            let end =
                self.runs.get(index + 1).map_or(usize::MAX, |next| run.source + (next.value - run.value));
            let first = outer.runs.partition_point(|outer| outer.value <= run.source);
            let breaks = outer.runs[first..].iter().take_while(|outer| outer.value < end);
            runs.extend(
                breaks
                    .map(|outer| Run { value: run.value + (outer.value - run.source), source: outer.source }),
            );
        }
        Self { runs }
    }
}

/// A walk over a scalar's notation, by the characters of its value.
struct Aligner<'a> {
    source: &'a str,
    at: usize,
    style: ScalarStyle,
    indentation: usize,
}

impl Aligner<'_> {
    fn skip_quote(&mut self) {
        if matches!(self.style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) {
            self.at = self.source.len().min(1);
        }
    }

    /// Returns the place of the value's next character, and moves behind it.
    fn place_of(&mut self, c: char) -> usize {
        if self.style == ScalarStyle::DoubleQuoted && self.rest().starts_with('\\') {
            return self.escape();
        }
        // Whether a line end of a folded text counts depends on more than the lines around it. The next letter tells.
        if !c.is_whitespace() {
            self.at += self.rest().len() - self.rest().trim_start().len();
        } else if !self.rest().starts_with(char::is_whitespace) {
            return self.at;
        }
        let place = self.at;
        let line_end = self.rest().trim_start_matches([' ', '\t', '\r']);
        let blanks = self.rest().len() - line_end.len();
        if c.is_ascii_whitespace() && line_end.starts_with('\n') && !self.is_blank_of_block(c) {
            self.at += blanks + 1;
            self.skip_indentation();
        } else if self.style == ScalarStyle::SingleQuoted && self.rest().starts_with("''") {
            self.at += 2;
        } else {
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
        }
        place
    }

    /// Returns whether the next character is a blank before a line end that belongs to a block's value.
    fn is_blank_of_block(&self, c: char) -> bool {
        self.is_block() && c != '\n' && self.rest().starts_with(c)
    }

    /// Moves behind an escape sequence. Line ends that are escaped have no counterpart in the value.
    fn escape(&mut self) -> usize {
        while self.rest().starts_with("\\\n") || self.rest().starts_with("\\\r\n") {
            let line = self.rest().find('\n').map_or(0, |end| end + 1);
            self.at += line;
            self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        }
        let place = self.at;
        let mut rest = self.rest().chars();
        let length = match (rest.next(), rest.next()) {
            (Some('\\'), Some('x')) => 4,
            (Some('\\'), Some('u')) => 6,
            (Some('\\'), Some('U')) => 10,
            (Some('\\'), Some(other)) => 1 + other.len_utf8(),
            (Some(other), _) => other.len_utf8(),
            (None, _) => 0,
        };
        self.at = self.source.ceil_char_boundary(place + length);
        place
    }

    fn skip_indentation(&mut self) {
        if self.is_block() {
            self.at += self.rest().bytes().take(self.indentation).take_while(|byte| *byte == b' ').count();
            return;
        }
        self.skip_blanks();
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r']).len();
    }

    fn is_block(&self) -> bool {
        matches!(self.style, ScalarStyle::Literal | ScalarStyle::Folded)
    }

    fn rest(&self) -> &str {
        self.source.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::class::node::Documents;

    /// Returns the text from the place of `needle` in the scalar `key`.
    fn place<'a>(text: &'a str, key: &str, needle: &str) -> &'a str {
        let document = Documents::of(text).next().unwrap().unwrap();
        let node = document.get(key).unwrap();
        let map = OffsetMap::of(node, text);
        &text[map.source(node.scalar().unwrap().find(needle).unwrap())..]
    }

    #[test]
    fn places_survive_each_notation() {
        for text in [
            "k: one two NEEDLE",
            "k: one\n  two\n  NEEDLE x",
            "k: 'it''s a NEEDLE'",
            "k: \"a\\n\\u00e4\\x41\\\"NEEDLE\"",
            "k: \"a\\\n   b NEEDLE\"",
            "k: \"a\n\n  b NEEDLE\"",
            "k: |\n  one\n\n    two\n  NEEDLE\n",
            "k: |2\n    one\n  NEEDLE\n",
            "k: >-\n  one\n  two\n\n  three NEEDLE\n",
            "k: |\n  ä  \n  NEEDLE\n",
            "k: |\r\n  one\r\n  NEEDLE\r\n",
        ] {
            assert!(
                place(text, "k", "NEEDLE").starts_with("NEEDLE"),
                "{text:?}: {:?}",
                place(text, "k", "NEEDLE")
            );
        }
    }

    #[test]
    fn yaml_within_yaml_within_yaml_keeps_its_places() {
        let text = "k: |\n  array:\n    - |\n      objectName: a\n      objectType: NEEDLE\n";
        let outer = Documents::of(text).next().unwrap().unwrap();
        let objects = outer.get("k").unwrap();
        let value = objects.scalar().unwrap();
        let map = OffsetMap::of(objects, text);
        let inner = Documents::of(value).next().unwrap().unwrap();
        let entry = &inner.get("array").unwrap().items()[0];
        let map = OffsetMap::of(entry, value).within(&map);
        let offset = entry.scalar().unwrap().find("NEEDLE").unwrap();
        assert!(text[map.source(offset)..].starts_with("NEEDLE"));
        for (offset, c) in entry.scalar().unwrap().char_indices() {
            assert!(text[map.source(offset)..].starts_with(c), "{offset}");
        }
    }
}

//! The lines of a text, as messages quote them.

use std::{fmt, iter::Enumerate, str};

use crate::spec::placeholder::is_placeholder;

use super::oddity::name;

/// A line of a text.
#[derive(Debug, Clone, Copy)]
pub(in crate::parameters) struct Line<'a> {
    /// Starts at 1.
    pub(super) number: u64,
    pub(super) text: &'a str,
    /// Whether an earlier line has a default, which may be secret, and may go on up to this line.
    is_after_default: bool,
}

/// An iterator over the lines of a text.
pub(in crate::parameters) struct Lines<'a> {
    lines: Enumerate<str::Lines<'a>>,
    last: Option<Line<'a>>,
}

/// The field whose value may be secret, without the quotes and the blanks that it may have around it.
const DEFAULT: &str = "default";

impl<'a> Lines<'a> {
    pub(in crate::parameters) fn of(text: &'a str) -> Self {
        Self { lines: text.lines().enumerate(), last: None }
    }

    /// Returns the line with this number, which must not be below the last line's number.
    pub(in crate::parameters) fn at(&mut self, number: u64) -> Option<Line<'a>> {
        if self.last.is_none_or(|last| last.number < number) {
            self.find(|line| line.number == number);
        }
        self.last.filter(|last| last.number == number)
    }

    /// Returns the first remaining line that is not blank, a comment or `---`.
    pub(in crate::parameters) fn first(&mut self) -> Option<Line<'a>> {
        self.find(|line| {
            let content = line.text.trim();
            !content.is_empty() && !content.starts_with('#') && content != "---"
        })
    }

    /// Returns the first remaining line that starts with this key.
    pub(in crate::parameters) fn with_key(&mut self, key: &str) -> Option<Line<'a>> {
        self.find(|line| line.text.trim_start().starts_with(key))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let (index, text) = self.lines.next()?;
        let is_after_default =
            self.last.is_some_and(|last| last.is_after_default || last.text.contains(DEFAULT));
        self.last = Some(Line { number: index as u64 + 1, text, is_after_default });
        self.last
    }
}

impl Line<'_> {
    /// Returns the line in quotes, escaped and truncated to [`MAX_LINE`] bytes, with a hint if it looks like a
    /// placeholder. What follows a default is left out.
    pub(super) fn quoted(&self) -> String {
        if self.is_after_default {
            return "not shown, since it may belong to a default".to_owned();
        }
        let mut quoted = String::from('"');
        let (text, is_cut) = match self.text.split_once(DEFAULT) {
            Some((before, _)) => (&self.text[..before.len() + DEFAULT.len()], true),
            None => (self.text, false),
        };
        for c in text.trim_end_matches(|c: char| c.is_ascii_whitespace()).chars() {
            let escaped = match c {
                '\'' => c.to_string(),
                _ if name(c).is_some() => c.escape_unicode().to_string(),
                _ => c.escape_debug().to_string(),
            };
            if quoted.len() + escaped.len() > MAX_LINE {
                return quoted + "\"…";
            }
            quoted += &escaped;
        }
        quoted.push_str(if is_cut { "\"…" } else { "\"" });
        if is_placeholder(self.text) {
            quoted += "; the placeholder was not replaced";
        }
        quoted
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.number, self.quoted())
    }
}

/// Longest quoted line in a message, in bytes.
const MAX_LINE: usize = 128;

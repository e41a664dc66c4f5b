//! Finds characters that look like YAML syntax or like nothing, and that change how a text parses.

use std::fmt;

use super::line::{Line, Lines};

/// An invisible or misleading character in a line.
#[derive(Debug, Clone, Copy)]
pub(in crate::parameters) struct Oddity<'a> {
    line: Line<'a>,
    what: char,
}

impl<'a> Oddity<'a> {
    /// Finds the first odd character in a place where YAML has syntax: in a line's indentation, in its key, or directly
    /// behind it.
    pub(in crate::parameters) fn of(text: &'a str) -> Option<Self> {
        // JSON may be indented with tabs.
        let tabs = !text.trim_start().starts_with(['{', '[']);
        // A byte order mark at the start has no effect.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Lines::of(text).find_map(|line| Self::in_line(line, tabs))
    }

    /// Finds the first odd character of a key, and the line that contains the key.
    pub(in crate::parameters) fn of_key(text: &'a str, key: &str) -> Option<Self> {
        let what = key.chars().find(|c| name(*c).is_some())?;
        let line = Lines::of(text).find(|line| line.text.contains(key))?;
        Some(Self { line, what })
    }

    /// Finds the first control character that YAML allows nowhere.
    pub(super) fn of_control(text: &'a str) -> Option<Self> {
        let is_wrong = |c: &char| c.is_control() && !matches!(c, '\t' | '\r' | '\u{85}');
        Lines::of(text).find_map(|line| line.text.chars().find(is_wrong).map(|what| Self { line, what }))
    }

    fn in_line(line: Line<'a>, tabs: bool) -> Option<Self> {
        let text = line.text;
        let content = text.trim_start();
        if content.is_empty() || content.starts_with('#') {
            return None;
        }
        let found = |what| Some(Self { line, what });
        if tabs && text[..text.len() - content.len()].contains('\t') {
            return found('\t');
        }
        if let Some(dash) =
            content.chars().next().filter(|c| matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}'))
        {
            return found(dash);
        }
        let key = match text.find(':') {
            Some(colon) => &text[..text.ceil_char_boundary(colon + 2)],
            None => text,
        };
        key.chars().find(|c| name(*c).is_some()).and_then(found)
    }
}

impl fmt::Display for Oddity<'_> {
    /// Writes `line 2 has a no-break space (U+00A0): "\u{a0}objectName: a"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, what } = self;
        let number = line.number;
        match what {
            '\t' => write!(f, "line {number} is indented with a tab")?,
            _ => write!(
                f,
                "line {number} has {} (U+{:04X})",
                name(*what).unwrap_or(if what.is_control() { "a control character" } else { "a dash" }),
                u32::from(*what)
            )?,
        }
        write!(f, ": {}", line.quoted())
    }
}

/// Returns the name of a character that is invisible or looks like another one.
pub(super) fn name(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{a0}' | '\u{202f}' => "a no-break space",
        '\u{200b}' => "a zero-width space",
        '\u{feff}' => "a byte order mark",
        '\u{3000}' => "an ideographic space",
        '\u{ff1a}' => "a fullwidth colon",
        '\u{85}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{205f}' => {
            "another kind of space"
        }
        '\u{ad}'
        | '\u{180e}'
        | '\u{200c}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' => "an invisible character",
        _ => return None,
    })
}

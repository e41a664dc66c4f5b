//! YAML as users write it, and what is wrong with one that cannot be read.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::spec::placeholder::is_placeholder;

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
        if let Some(oddity) = Oddity::of(text) {
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

/// The kind of a YAML node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    List,
    Map,
    Text,
    Number,
    Boolean,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "a list",
            Self::Map => "a map",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
        })
    }
}

/// Reads some kinds of nodes, and names the others.
///
/// The methods for lists and maps leave nothing unread.
pub(super) trait Node: Sized {
    /// Of a node that is null, or of a text without a node.
    fn null() -> Self;

    /// Of a kind that is not read.
    fn other(kind: Kind) -> Self;

    /// Of a text.
    fn text(_: &str) -> Self {
        Self::other(Kind::Text)
    }

    /// Reads a list.
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::other(Kind::List))
    }

    /// Reads a map.
    fn map<'de, A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::other(Kind::Map))
    }
}

/// A node of any kind, for serde.
pub(super) struct Any<T>(pub(super) T);

impl<'de, T: Node> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor(std::marker::PhantomData)).map(Self)
    }
}

struct AnyVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Node> Visitor<'de> for AnyVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_none<E>(self) -> Result<T, E> {
        Ok(T::null())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::other(Kind::Boolean))
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_u64<E>(self, _: u64) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_i128<E>(self, _: i128) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_u128<E>(self, _: u128) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::other(Kind::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}

/// The key of a map, where it is a text.
pub(super) struct Key(pub(super) Option<String>);

impl Node for Key {
    fn null() -> Self {
        Self(None)
    }

    fn other(_: Kind) -> Self {
        Self(None)
    }

    fn text(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

/// A character that looks like what YAML wants, and is something else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Oddity<'a> {
    line: Line<'a>,
    what: char,
}

impl<'a> Oddity<'a> {
    /// Finds the first one where YAML has its own signs: in the indentation of a line, at its key, and right behind that.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        // JSON may have tabs.
        let tabs = !text.trim_start().starts_with(['{', '[']);
        // At its start it is of no effect.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Lines::of(text).find_map(|line| Self::in_line(line, tabs))
    }

    /// Finds the first one in a key, and the line that the key is in.
    pub(super) fn of_key(text: &'a str, key: &str) -> Option<Self> {
        let what = key.chars().find(|c| name(*c).is_some())?;
        let line = Lines::of(text).find(|line| line.text.contains(key))?;
        Some(Self { line, what })
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
    /// `line 2 has a no-break space (U+00A0): "\u{a0}objectName: a"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, what } = self;
        let number = line.number;
        match what {
            '\t' => write!(f, "line {number} is indented with a tab")?,
            _ => write!(
                f,
                "line {number} has {} (U+{:04X})",
                name(*what).unwrap_or("a dash"),
                u32::from(*what)
            )?,
        }
        write!(f, ": {}", line.quoted())
    }
}

/// Names a character that nobody sees, or that looks like another one.
fn name(c: char) -> Option<&'static str> {
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

/// One line of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1 on.
    number: u64,
    text: &'a str,
}

/// The lines of a text, from the first to the last.
pub(super) struct Lines<'a> {
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
    last: Option<Line<'a>>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { lines: text.lines().enumerate(), last: None }
    }

    /// Returns the line with a number that is not below the number of the last one.
    pub(super) fn at(&mut self, number: u64) -> Option<Line<'a>> {
        if self.last.is_none_or(|last| last.number < number) {
            self.find(|line| line.number == number);
        }
        self.last.filter(|last| last.number == number)
    }

    /// Returns the first of the lines that are left with something in it.
    pub(super) fn first(&mut self) -> Option<Line<'a>> {
        self.find(|line| {
            let content = line.text.trim();
            !content.is_empty() && !content.starts_with('#') && content != "---"
        })
    }

    /// Returns the first of the lines that are left with this key.
    pub(super) fn with_key(&mut self, key: &str) -> Option<Line<'a>> {
        self.find(|line| line.text.trim_start().starts_with(key))
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let (index, text) = self.lines.next()?;
        self.last = Some(Line { number: index as u64 + 1, text });
        self.last
    }
}

impl Line<'_> {
    /// In quotes, escaped, and cut to [`MAX_LINE`] bytes; with what it seems to be, where that is known.
    fn quoted(&self) -> String {
        let mut quoted = String::from('"');
        for c in self.text.trim_end_matches(|c: char| c.is_ascii_whitespace()).chars() {
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
        quoted.push('"');
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

/// Of a text, in bytes. etcd keeps nothing above 1.5 MiB, a SecretProviderClass included.
pub(super) const MAX_TEXT: usize = 2 << 20;

/// Lists and maps in each other; `objects` needs three.
const MAX_DEPTH: usize = 16;

/// Of what the parser says, in bytes: it may quote a key of any length.
const MAX_MESSAGE: usize = 256;

/// Of a line in a message, in bytes.
const MAX_LINE: usize = 128;

//! The path of a key in a structured value: the part of JMESPath that names things.

use std::{fmt, str::FromStr};

/// The place of a key: `tls.mode`, `"a key".b`, `hosts[0]`.
///
/// A subset of JMESPath (<https://jmespath.org/specification.html>), with wider plain names, so that `Db-Host` and
/// `ConnectionStrings:Default` need no quotes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyPath {
    text: String,
    steps: Vec<Step>,
}

/// A step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// To the value of this key of a map.
    Key(String),
    /// To this item of a list; from the end if it is negative.
    Index(i32),
}

/// Longest path, in bytes.
pub const MAX_KEY_PATH: usize = 512;

/// Most steps of a path.
pub const MAX_STEPS: usize = 16;

/// Why a text is not the path of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeyPath {
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is too long.
    #[error("is longer than {MAX_KEY_PATH} bytes")]
    TooLong,
    /// The path has too many steps.
    #[error("has more than {MAX_STEPS} segments")]
    TooDeep,
    /// The text uses another part of JMESPath, or none.
    #[error("is not supported; use names, quoted names and indexes, such as a.b, \"a key\".b or a[0]")]
    Unsupported,
}

impl KeyPath {
    /// Returns the path as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the steps from the whole value to the key; never empty.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPath({:?})", self.text)
    }
}

impl FromStr for KeyPath {
    type Err = InvalidKeyPath;

    fn from_str(text: &str) -> Result<Self, InvalidKeyPath> {
        if text.is_empty() {
            return Err(InvalidKeyPath::Empty);
        }
        if text.len() > MAX_KEY_PATH {
            return Err(InvalidKeyPath::TooLong);
        }
        let (mut rest, mut steps) = (text, Vec::new());
        while !rest.is_empty() {
            let (step, behind) = match rest.strip_prefix('[') {
                Some(index) => index_step(index)?,
                // A name stands at the start, and behind each point.
                None if steps.is_empty() => name_step(rest)?,
                None => name_step(rest.strip_prefix('.').ok_or(InvalidKeyPath::Unsupported)?)?,
            };
            if steps.len() == MAX_STEPS {
                return Err(InvalidKeyPath::TooDeep);
            }
            steps.push(step);
            rest = behind;
        }
        Ok(Self { text: text.to_owned(), steps })
    }
}

/// Parses an index behind its opening bracket.
fn index_step(text: &str) -> Result<(Step, &str), InvalidKeyPath> {
    let (number, rest) = text.split_once(']').ok_or(InvalidKeyPath::Unsupported)?;
    let digits = number.strip_prefix('-').unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidKeyPath::Unsupported);
    }
    let index = number.parse().map_err(|_| InvalidKeyPath::Unsupported)?;
    Ok((Step::Index(index), rest))
}

fn name_step(text: &str) -> Result<(Step, &str), InvalidKeyPath> {
    if text.starts_with('"') {
        return quoted_step(text);
    }
    let end = text.find(is_special).unwrap_or(text.len());
    if end == 0 {
        return Err(InvalidKeyPath::Unsupported);
    }
    Ok((Step::Key(text[..end].to_owned()), &text[end..]))
}

/// Parses a name in quotes, which is a JSON string as in JMESPath.
fn quoted_step(text: &str) -> Result<(Step, &str), InvalidKeyPath> {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find_map(|(place, character)| {
        let is_end = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        is_end.then_some(place + 1)
    });
    let (name, rest) = text.split_at(end.ok_or(InvalidKeyPath::Unsupported)?);
    let name = serde_json::from_str(name).map_err(|_| InvalidKeyPath::Unsupported)?;
    Ok((Step::Key(name), rest))
}

/// Returns whether a character ends a plain name.
fn is_special(character: char) -> bool {
    character.is_whitespace() || character.is_control() || ".[]\"'()*?|&!@,{}<>=`".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Result<String, InvalidKeyPath> {
        let path: KeyPath = text.parse()?;
        let show = |step: &Step| match step {
            Step::Key(name) => format!("<{name}>"),
            Step::Index(index) => index.to_string(),
        };
        Ok(path.steps().iter().map(show).collect::<Vec<_>>().join(" "))
    }

    /// The inputs are those of the specification's own examples of identifiers, sub-expressions and indexes.
    #[test]
    fn names_and_indexes_of_jmespath_are_paths() {
        for (text, expected) in [
            ("foo", "<foo>"),
            ("foo.bar.baz", "<foo> <bar> <baz>"),
            ("foo[0]", "<foo> 0"),
            ("foo[-1].bar", "<foo> -1 <bar>"),
            ("foo[0][1]", "<foo> 0 1"),
            ("[0]", "0"),
            ("[0].a", "0 <a>"),
            (r#""foo.bar""#, "<foo.bar>"),
            (r#""with space"[1]"#, "<with space> 1"),
            (r#"a."\"quoted\" \\ \u00e9""#, "<a> <\"quoted\" \\ é>"),
            (r#""""#, "<>"),
            // Beyond JMESPath: names without quotes.
            ("Db-Host", "<Db-Host>"),
            ("ConnectionStrings:Default", "<ConnectionStrings:Default>"),
            ("a/b$c", "<a/b$c>"),
            ("0", "<0>"),
            ("schlüssel", "<schlüssel>"),
        ] {
            assert_eq!(steps(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_rest_of_jmespath_is_refused() {
        for text in [
            "foo[*]",
            "foo[]",
            "*",
            "foo.*",
            "length(foo)",
            "a || b",
            "a | b",
            "a && b",
            "!a",
            "@",
            "`1`",
            "'raw'",
            "foo[0:1]",
            "foo[?a]",
            "{a: b}",
            "[a, b]",
            "a.[0]",
            "a..b",
            ".a",
            "a.",
            "a b",
            "a\tb",
            "a[",
            "a[0",
            "a]",
            "a[+1]",
            "a[-]",
            "a[1.0]",
            "a[99999999999]",
            "\"a",
            "\"a\"b",
            "\"\\x\"",
            "a[0]b",
            "a=b",
            "a<b",
            "&a",
        ] {
            assert_eq!(steps(text), Err(InvalidKeyPath::Unsupported), "{text}");
        }
        assert_eq!(steps(""), Err(InvalidKeyPath::Empty));
    }

    #[test]
    fn a_path_is_bounded_in_bytes_and_steps() {
        assert!(steps(&"x".repeat(MAX_KEY_PATH)).is_ok());
        assert_eq!(steps(&"x".repeat(MAX_KEY_PATH + 1)), Err(InvalidKeyPath::TooLong));
        assert!(steps(&format!("a{}", "[0]".repeat(MAX_STEPS - 1))).is_ok());
        assert_eq!(steps(&format!("a{}", "[0]".repeat(MAX_STEPS))), Err(InvalidKeyPath::TooDeep));
    }
}

//! Patterns of object names. Both kinds match in time linear in the name.

use std::{fmt, str::FromStr};

use regex_lite::{Regex, RegexBuilder};

use super::match_steps::{MatchSteps, TooManySteps};

/// A regular expression in the syntax of the `regex-lite` crate. Its character classes are those of ASCII: the names of a
/// vault have no other characters.
#[derive(Debug, Clone)]
pub struct Regexp(Compiled);

/// A compiled expression.
#[derive(Debug, Clone)]
struct Compiled {
    regex: Regex,
    /// The size of its states, at most.
    bytes: usize,
}

/// The longest pattern, in bytes.
pub const MAX_PATTERN: usize = 256;

/// The most memory of a compiled expression, in bytes. Counted repetitions multiply the length of a pattern.
const MAX_COMPILED: usize = 64 << 10;

/// The least size that an expression counts as, in bytes.
const MIN_COMPILED: usize = 1 << 10;

/// The most memory of a search, in bytes. The expression keeps it as long as it exists.
const MAX_SEARCH: usize = 128 << 10;

/// What a search takes for each state and group, in bytes: two positions in the text, for this character and the next.
const GROUP_BYTES: usize = 32;

/// What a state takes, in bytes. The crate hides its states; each takes as much as an enum with a vector.
const STATE_BYTES: usize = 32;

/// What an expression takes beside its states, in bytes.
const COMPILED_OVERHEAD: usize = 512;

/// What the crate's error says of an expression beyond the bound; it has no kinds.
const COMPILED_TOO_BIG: &str = "compiled regex exceeded size limit";

/// A text is not a regular expression within the bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRegexp {
    /// The text is empty.
    #[error("is empty; write an expression such as ^shop-")]
    Empty,
    /// The text is too long.
    #[error("is longer than {MAX_PATTERN} bytes; write a shorter expression, or several entries")]
    TooLong,
    /// The compiled expression is too large.
    #[error("repeats too much; write smaller counts")]
    TooLarge,
    /// A search would take too much memory.
    #[error("has too many groups for its size; write (?:…) for groups that target does not name")]
    TooManyGroups,
    /// The text is not a regular expression.
    #[error("is not a regular expression: {0}")]
    Syntax(String),
}

impl Regexp {
    /// Returns whether the expression is found anywhere in `name`.
    ///
    /// # Errors
    /// That may take more steps than are left.
    pub fn is_found_in(&self, name: &str, steps: &mut MatchSteps) -> Result<bool, TooManySteps> {
        self.0.is_match(name, steps)
    }

    /// Returns the expression as written.
    pub fn as_str(&self) -> &str {
        self.0.regex.as_str()
    }

    /// Returns about how many bytes the compiled expression takes.
    pub(super) fn estimated_bytes(&self) -> usize {
        self.0.estimated_bytes()
    }

    /// Takes the steps of a search for all groups in a text of this many bytes.
    ///
    /// # Errors
    /// Fewer are left.
    pub(super) fn take_steps(&self, bytes: usize, steps: &mut MatchSteps) -> Result<(), TooManySteps> {
        // Each state has its own copy of all groups' positions.
        steps.take(self.0.states() * self.0.groups(), bytes)
    }

    pub(super) fn regex(&self) -> &Regex {
        &self.0.regex
    }
}

impl Compiled {
    /// Compiles a pattern within the smallest of a few limits: the crate does not tell how large an expression is.
    fn new(pattern: &str, ignore_case: bool) -> Result<Self, regex_lite::Error> {
        let mut bytes = MIN_COMPILED;
        loop {
            let compiled = RegexBuilder::new(pattern).case_insensitive(ignore_case).size_limit(bytes).build();
            match compiled {
                Ok(regex) => return Ok(Self { regex, bytes }),
                Err(error) if bytes < MAX_COMPILED && is_too_big(&error) => bytes *= 2,
                Err(error) => return Err(error),
            }
        }
    }

    fn is_match(&self, name: &str, steps: &mut MatchSteps) -> Result<bool, TooManySteps> {
        steps.take(self.states(), name.len())?;
        Ok(self.regex.is_match(name))
    }

    fn states(&self) -> usize {
        self.bytes / STATE_BYTES
    }

    /// Returns the number of groups, with the whole match.
    fn groups(&self) -> usize {
        self.regex.captures_len()
    }

    /// Returns what a search takes, in bytes, at most.
    fn search_bytes(&self) -> usize {
        self.states() * self.groups() * GROUP_BYTES
    }

    fn estimated_bytes(&self) -> usize {
        self.bytes + COMPILED_OVERHEAD
    }
}

fn is_too_big(error: &regex_lite::Error) -> bool {
    error.to_string() == COMPILED_TOO_BIG
}

impl PartialEq for Regexp {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Regexp {}

impl FromStr for Regexp {
    type Err = InvalidRegexp;

    fn from_str(text: &str) -> Result<Self, InvalidRegexp> {
        if text.is_empty() {
            return Err(InvalidRegexp::Empty);
        }
        if text.len() > MAX_PATTERN {
            return Err(InvalidRegexp::TooLong);
        }
        match Compiled::new(text, false) {
            Ok(compiled) if compiled.search_bytes() > MAX_SEARCH => Err(InvalidRegexp::TooManyGroups),
            Ok(compiled) => Ok(Self(compiled)),
            Err(error) if is_too_big(&error) => Err(InvalidRegexp::TooLarge),
            Err(error) => Err(InvalidRegexp::Syntax(error.to_string())),
        }
    }
}

/// A pattern of a whole name in any case: `*` stands for any characters, and `?` for one.
#[derive(Debug, Clone)]
pub struct Glob {
    text: String,
    matcher: Compiled,
}

/// A text is not a glob within the bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// The text is too long.
    #[error("is longer than {MAX_PATTERN} bytes; no name is longer than 127")]
    TooLong,
    /// The text has a character that no name has.
    #[error(
        "can match no name: a name has letters, digits and dashes, and * and ? stand for them; for an expression write \
         {{regexp: …}}"
    )]
    OtherCharacter,
}

impl Glob {
    /// Returns about how many bytes the compiled pattern takes.
    pub(super) fn estimated_bytes(&self) -> usize {
        self.matcher.estimated_bytes() + self.text.len()
    }

    /// Returns whether the pattern is the whole `name`.
    ///
    /// # Errors
    /// That may take more steps than are left.
    pub fn matches(&self, name: &str, steps: &mut MatchSteps) -> Result<bool, TooManySteps> {
        self.matcher.is_match(name, steps)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Glob {}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Glob {
    type Err = InvalidGlob;

    fn from_str(text: &str) -> Result<Self, InvalidGlob> {
        if text.len() > MAX_PATTERN {
            return Err(InvalidGlob::TooLong);
        }
        let mut pattern = String::from("^");
        for character in text.chars() {
            match character {
                // One star is as good as several.
                '*' if pattern.ends_with(".*") => {}
                '*' => pattern.push_str(".*"),
                '?' => pattern.push('.'),
                '-' => pattern.push('-'),
                character if character.is_ascii_alphanumeric() => pattern.push(character),
                _ => return Err(InvalidGlob::OtherCharacter),
            }
        }
        pattern.push('$');
        // Its length bounds the compiled size.
        let matcher = Compiled::new(&pattern, true).map_err(|_| InvalidGlob::TooLong)?;
        Ok(Self { text: text.to_owned(), matcher })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_glob_of(glob: &Glob, name: &str) -> bool {
        glob.matches(name, &mut MatchSteps::of_mount()).unwrap()
    }

    fn is_found(regexp: &Regexp, name: &str) -> bool {
        regexp.is_found_in(name, &mut MatchSteps::of_mount()).unwrap()
    }

    #[test]
    fn a_glob_is_the_whole_name_in_any_case() {
        for (glob, names, others) in [
            ("shop-*", &["shop-db", "SHOP-", "Shop-a-b"][..], &["shop", "my-shop-db"][..]),
            ("*-tls", &["a-tls", "-TLS"], &["tls", "a-tls-b"]),
            ("a?c", &["abc", "A-C"], &["ac", "abbc"]),
            ("*a*b*", &["ab", "xaxbx"], &["ba"]),
            ("**", &["a", ""], &[]),
            ("db", &["db", "DB"], &["db2", "adb"]),
        ] {
            let glob: Glob = glob.parse().unwrap();
            for name in names {
                assert!(is_glob_of(&glob, name), "{glob} {name}");
            }
            for name in others {
                assert!(!is_glob_of(&glob, name), "{glob} {name}");
            }
        }
        for text in ["a.*", "a_b", "[ab]*", "a b", "ä", "^a$"] {
            assert_eq!(text.parse::<Glob>(), Err(InvalidGlob::OtherCharacter), "{text}");
        }
        assert!("a".repeat(256).parse::<Glob>().is_ok() && "?".repeat(256).parse::<Glob>().is_ok());
        assert_eq!("a".repeat(257).parse::<Glob>(), Err(InvalidGlob::TooLong));
    }

    #[test]
    fn a_regular_expression_is_found_anywhere_as_written() {
        for (text, names, others) in [
            ("(db|key)$", &["shop-db", "web-key"][..], &["db-x", "shop-DB"][..]),
            ("^shop", &["shop", "shop-a"], &["a-shop"]),
            ("(?i)SHOP", &["a-shop-b"], &["sho"]),
            (r"^\w{3}\d+$", &["abc1", "ab12"], &["ab", "abc-1"]),
            ("p.d", &["a-pod", "p-d"], &["pd", "prod"]),
        ] {
            let regexp: Regexp = text.parse().unwrap();
            for name in names {
                assert!(is_found(&regexp, name), "{text} {name}");
            }
            for name in others {
                assert!(!is_found(&regexp, name), "{text} {name}");
            }
        }
    }

    #[test]
    fn a_regular_expression_is_bounded_before_it_is_used() {
        for (text, expected) in [
            ("", InvalidRegexp::Empty),
            (&"a".repeat(257), InvalidRegexp::TooLong),
            ("(a{1000}){1000}", InvalidRegexp::TooLarge),
            (&format!("{}a{{100}}", "()".repeat(100)), InvalidRegexp::TooManyGroups),
            ("(a{1000})()()()", InvalidRegexp::TooManyGroups),
            ("(a", InvalidRegexp::Syntax("found open group without closing ')'".to_owned())),
        ] {
            assert_eq!(text.parse::<Regexp>(), Err(expected), "{text}");
        }
        for text in ["a".repeat(256), "(a{1000})()()".to_owned(), "()".repeat(30), "(a)-".repeat(20)] {
            assert!(text.parse::<Regexp>().is_ok(), "{text}");
        }
        for text in [r"\p{Greek}", "*a", "[b-a]", r"(\w)\1", "(?=a)"] {
            let error = text.parse::<Regexp>().unwrap_err();
            assert!(matches!(error, InvalidRegexp::Syntax(_)), "{text}: {error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }

    #[test]
    fn an_expression_that_makes_others_try_forever_ends_at_once() {
        let regexp: Regexp = "^(a+)+(a|aa)*(a*)*$".parse().unwrap();
        let name = format!("{}-", "a".repeat(126));
        for _ in 0..1_000 {
            assert!(!is_found(&regexp, &name));
        }
    }

    #[test]
    fn an_expression_counts_as_what_it_has_compiled_to() {
        let states = |text: &str| text.parse::<Regexp>().unwrap().0.states();
        assert_eq!(states("^shop-"), 32);
        assert_eq!((states(&"a".repeat(250)), states("[a-z]{3}-prod")), (256, 32));
        assert!(states("([a-z0-9]?[a-z0-9]?){80}Z$") >= 1_024);
        let (hostile, name) = ("([a-z0-9]?[a-z0-9]?){80}Z$".parse::<Regexp>().unwrap(), "a".repeat(127));
        let mut steps = MatchSteps::of_mount();
        let compared = (0..).take_while(|_| hostile.is_found_in(&name, &mut steps).is_ok()).count();
        assert!((1_000..2_000).contains(&compared), "{compared} names");
    }
}

//! The replacements that make a path of a found name.

use std::str::FromStr;

use super::{
    file::{InvalidPath, RelativePath},
    match_steps::{MatchSteps, TooManySteps},
    pattern::Regexp,
};

/// One replacement: each match of an expression becomes a text that can name groups of the match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    source: Regexp,
    target: Target,
}

/// The text of a replacement: `$1` and `${1}` stand for groups, and `$$` for one `$`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Group(String),
}

/// The longest target, in bytes.
pub const MAX_TARGET: usize = 256;

/// The longest rewritten name, in bytes: that of a path.
const MAX_NAME: usize = 2_048;

/// A text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// The text is too long.
    #[error("is longer than {MAX_TARGET} bytes; write a shorter text")]
    TooLong,
    /// The text names a group that the source does not have.
    #[error("names the group ${{{0}}}, which source does not have; write $$ for a dollar sign")]
    NoSuchGroup(String),
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        if text.len() > MAX_TARGET {
            return Err(InvalidTarget::TooLong);
        }
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(place) = rest.find('$') {
            plain.push_str(&rest[..place]);
            rest = &rest[place + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                plain.push('$');
                rest = after;
                continue;
            }
            match group(rest) {
                Some((name, after)) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Group(name.to_owned()));
                    rest = after;
                }
                None => plain.push('$'),
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }
}

/// Returns the name of the group at the beginning of `text`, which follows a `$`, and the rest.
///
/// An unbraced number ends with its last digit: `$1_x` is group 1 and `_x`.
fn group(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        let (name, rest) = braced.split_once('}')?;
        return is_group(name).then_some((name, rest));
    }
    let is_number = text.starts_with(|first: char| first.is_ascii_digit());
    let belongs = |c: char| c.is_ascii_digit() || !is_number && (c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn is_group(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Rewrite {
    /// Creates a replacement.
    ///
    /// # Errors
    /// `target` names a group that `source` does not have.
    pub fn new(source: Regexp, target: Target) -> Result<Self, InvalidTarget> {
        let regex = source.regex();
        let has = |name: &str| match name.parse::<usize>() {
            Ok(number) => number < regex.captures_len(),
            Err(_) => regex.capture_names().any(|known| known == Some(name)),
        };
        let unknown = target.0.iter().find_map(|piece| match piece {
            Piece::Group(name) if !has(name) => Some(name.clone()),
            Piece::Group(_) | Piece::Text(_) => None,
        });
        match unknown {
            Some(name) => Err(InvalidTarget::NoSuchGroup(name)),
            None => Ok(Self { source, target }),
        }
    }

    /// Returns about how many bytes the replacement takes.
    pub(super) fn estimated_bytes(&self) -> usize {
        let pieces = self.target.0.len() * size_of::<Piece>();
        size_of::<Self>() + self.source.estimated_bytes() + pieces + MAX_TARGET
    }

    /// Replaces every match in `name`. The result is as long as the target and the name allow: at most half a megabyte.
    fn apply(&self, name: &str, steps: &mut MatchSteps) -> Result<String, TooManySteps> {
        let (mut replaced, mut end) = (String::new(), 0);
        let mut matches = self.source.regex().captures_iter(name);
        loop {
            // The search for each match can reach the end of the name.
            self.source.take_steps(name.len() - end, steps)?;
            let Some(found) = matches.next() else { break };
            let whole = found.get(0).expect("group 0 is the match");
            replaced.push_str(&name[end..whole.start()]);
            self.target.put(&found, &mut replaced);
            end = whole.end();
        }
        replaced.push_str(&name[end..]);
        Ok(replaced)
    }
}

impl Target {
    /// Appends the text for one match.
    fn put(&self, found: &regex_lite::Captures<'_>, text: &mut String) {
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Group(name) => {
                    let group = match name.parse::<usize>() {
                        Ok(number) => found.get(number),
                        Err(_) => found.name(name),
                    };
                    text.push_str(group.map(|group| group.as_str()).unwrap_or_default());
                }
            }
        }
    }
}

/// Why a name has no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRewritten {
    /// The rewritten name is not a path.
    NoPath {
        /// The rewritten name.
        name: String,
        /// Why the driver would refuse it.
        reason: InvalidPath,
    },
    /// The expressions may take more steps than are left.
    TooManySteps,
}

impl From<TooManySteps> for NotRewritten {
    fn from(TooManySteps: TooManySteps) -> Self {
        Self::TooManySteps
    }
}

/// Returns the path of a found object: its name after all replacements in turn, in `directory` or in the volume's root.
///
/// # Errors
/// The rewritten name is not a path, or the replacements may take more steps than are left.
pub fn path(
    rewrites: &[Rewrite],
    directory: Option<&RelativePath>,
    name: &str,
    steps: &mut MatchSteps,
) -> Result<RelativePath, NotRewritten> {
    let mut name = name.to_owned();
    for rewrite in rewrites {
        name = rewrite.apply(&name, steps)?;
        if name.len() > MAX_NAME {
            return Err(NotRewritten::NoPath { name, reason: InvalidPath::TooLong });
        }
    }
    let own = name.parse::<RelativePath>();
    let path = own.and_then(|own| match directory {
        Some(directory) => format!("{directory}/{own}").parse(),
        None => Ok(own),
    });
    path.map_err(|reason| NotRewritten::NoPath { name, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(source: &str, target: &str) -> Rewrite {
        Rewrite::new(source.parse().unwrap(), target.parse().unwrap()).unwrap()
    }

    fn path_of(
        rewrites: &[Rewrite],
        directory: Option<&RelativePath>,
        name: &str,
    ) -> Result<String, (String, InvalidPath)> {
        match path(rewrites, directory, name, &mut MatchSteps::of_mount()) {
            Ok(path) => Ok(path.to_string()),
            Err(NotRewritten::NoPath { name, reason }) => Err((name, reason)),
            Err(NotRewritten::TooManySteps) => panic!("too many steps"),
        }
    }

    fn rewritten(rewrites: &[(&str, &str)], name: &str) -> Result<String, InvalidPath> {
        let rewrites: Vec<_> = rewrites.iter().map(|(source, target)| rewrite(source, target)).collect();
        path_of(&rewrites, None, name).map_err(|(_, reason)| reason)
    }

    #[test]
    fn each_match_is_replaced_and_groups_are_put_in() {
        for (rewrites, name, expected) in [
            (&[][..], "Shop-Db", "Shop-Db"),
            (&[("^shop-", ""), ("--", "__")], "shop-a--b--c", "a__b__c"),
            (&[("-", "/")], "a-b-c", "a/b/c"),
            (&[("^([a-z]+)-(.*)$", "$2.$1")], "shop-db", "db.shop"),
            (&[("(a)(b)", "${2}${1}0$1_x")], "ab", "ba0a_x"),
            (&[("(?P<app>shop)", "<$app>")], "shop-db", "<shop>-db"),
            (&[("a", "$$1 $ $")], "a", "$1 $ $"),
            (&[("(x)?b", "[$1]")], "ab", "a[]"),
            (&[("b*", "-")], "abc", "-a-c-"),
            (&[("a", "é"), ("é", "e")], "ba", "be"),
        ] {
            assert_eq!(rewritten(rewrites, name), Ok(expected.to_owned()), "{rewrites:?} {name}");
        }
    }

    #[test]
    fn a_rewritten_name_must_be_a_path() {
        for (source, target, expected) in [
            ("^.*$", "", InvalidPath::Empty),
            ("^", "/", InvalidPath::Absolute),
            ("^", "../", InvalidPath::Climbs),
            ("$", "/", InvalidPath::Unclean),
            ("$", "\n", InvalidPath::Control),
        ] {
            assert_eq!(rewritten(&[(source, target)], "db"), Err(expected), "{source} {target:?}");
            let directory: RelativePath = "dir".parse().unwrap();
            let error = path_of(&[rewrite(source, target)], Some(&directory), "db").unwrap_err();
            assert_eq!(error.1, expected, "{source} {target:?}");
        }
        let directory: RelativePath = "dir".parse().unwrap();
        assert_eq!(path_of(&[], Some(&directory), "db").unwrap(), "dir/db");
    }

    #[test]
    fn a_name_cannot_grow_without_bounds() {
        let rewrites = vec![rewrite("b*", &"x".repeat(MAX_TARGET)); 8];
        let (long, reason) = path_of(&rewrites, None, &"a".repeat(127)).unwrap_err();
        assert_eq!(reason, InvalidPath::TooLong);
        assert!(long.len() <= 128 * MAX_TARGET + 127);
        let doubled = rewrite("^(.*)$", &"$1".repeat(128));
        let (_, reason) = path_of(&[doubled], None, &"a".repeat(127)).unwrap_err();
        assert_eq!(reason, InvalidPath::TooLong);
    }

    #[test]
    fn matches_that_each_search_the_whole_name_take_steps_each() {
        let longer = rewrite("^(.*)$", &"$1".repeat(16));
        // Each letter is a match, but only the end of the name shows that the longer alternative is none.
        let hostile = rewrite("(.?.?){80}Z|a", "b");
        let (name, mut steps) = ("a".repeat(127), MatchSteps::of_mount());
        let usual = path(std::slice::from_ref(&longer), None, &name, &mut steps);
        assert_ne!(usual, Err(NotRewritten::TooManySteps));
        let error = path(&[longer, hostile], None, &name, &mut steps).unwrap_err();
        assert_eq!(error, NotRewritten::TooManySteps);
    }

    #[test]
    fn a_target_names_only_groups_that_there_are() {
        for (source, target, group) in
            [("a", "$1", "1"), ("(a)", "${2}", "2"), ("(a)", "$10", "10"), ("(?P<b>a)", "$c", "c")]
        {
            let error = Rewrite::new(source.parse().unwrap(), target.parse().unwrap()).unwrap_err();
            assert_eq!(error, InvalidTarget::NoSuchGroup(group.to_owned()), "{source} {target}");
        }
        assert!(Rewrite::new("a".parse().unwrap(), "$0".parse().unwrap()).is_ok());
        assert_eq!("x".repeat(257).parse::<Target>(), Err(InvalidTarget::TooLong));
        assert!("x".repeat(256).parse::<Target>().is_ok());
    }
}

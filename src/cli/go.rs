//! Command-line parsing by the rules of Go's flag package: <https://pkg.go.dev/flag#hdr-Command_line_flag_syntax>

use crate::spec::misspelling::nearest;

use super::{
    UsageError,
    flags::{FLAGS, Flag, Kind},
};

/// A flag with its value.
pub(super) struct Token {
    pub(super) flag: &'static Flag,
    pub(super) value: String,
}

/// An iterator over the flags of a command line, in order.
pub(super) struct Tokens<I> {
    arguments: I,
}

impl<I: Iterator<Item = String>> Tokens<I> {
    pub(super) fn new(arguments: I) -> Self {
        Self { arguments }
    }

    /// Parses a flag with one dash or two. The value is behind `=`, or is the next argument if the flag is not a
    /// boolean.
    fn token(&mut self, argument: String) -> Result<Token, UsageError> {
        let text = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-'));
        let Some(text) = text.filter(|text| !text.is_empty() && !text.starts_with(['-', '='])) else {
            return Err(UsageError::Surplus(argument));
        };
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == name) else {
            let nearest = nearest(name, FLAGS.iter().map(|flag| flag.name));
            return Err(UsageError::Unknown { given: argument.clone(), nearest });
        };
        let value = match (value, flag.kind) {
            (Some(value), _) => value,
            (None, Kind::Boolean) => "true".to_owned(),
            (None, Kind::Value(_)) => self.arguments.next().ok_or(UsageError::NoValue(flag.name))?,
        };
        Ok(Token { flag, value })
    }
}

impl<I: Iterator<Item = String>> Iterator for Tokens<I> {
    type Item = Result<Token, UsageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let argument = self.arguments.next()?;
        Some(self.token(argument))
    }
}

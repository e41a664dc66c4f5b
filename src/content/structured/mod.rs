//! Structured values: secrets whose text holds keys, in JSON, YAML or dotenv.
//!
//! Each syntax has one reader. All readers give the same [`Document`], and share its bounds.

mod budget;
mod dotenv;
mod json;
mod value;
mod yaml;

pub use self::{budget::Bound, value::Value};

use std::collections::HashSet;

use crate::spec::{key_path::KeyPath, sensitive::Sensitive, syntax::Syntax};

use self::{budget::Budget, value::Map};

/// A parsed value.
#[derive(Debug)]
pub struct Document {
    /// The text, from which maps and lists of JSON are written unchanged.
    source: Sensitive<String>,
    root: Value,
}

/// Why a text cannot be parsed. No variant holds any part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StructureError {
    /// The text is not in the syntax.
    #[error("not {syntax} at line {line}")]
    Syntax {
        /// The name of the syntax.
        syntax: &'static str,
        /// The line of the first error, from 1 on.
        line: usize,
    },
    /// A map has two equal keys.
    #[error("a key is there twice")]
    DuplicateKey,
    /// The value exceeds a bound.
    #[error("{0}")]
    TooMuch(Bound),
}

impl Document {
    /// Parses a text.
    ///
    /// # Errors
    /// The text is not in `syntax`, a map has two equal keys, or a bound is exceeded.
    pub fn parse(text: &str, syntax: Syntax) -> Result<Self, StructureError> {
        let mut budget = Budget::default();
        let root = match syntax {
            Syntax::Json => json::parse(text, &mut budget)?,
            Syntax::Yaml => yaml::parse(text, &mut budget)?,
            Syntax::Dotenv => dotenv::parse(text, &mut budget)?,
        };
        Ok(Self { source: Sensitive::new(text.to_owned()), root })
    }

    /// Returns the value at `path`; `None` if there is none, or if it is `null`.
    pub fn get(&self, path: &KeyPath) -> Option<&Value> {
        path.steps()
            .iter()
            .try_fold(&self.root, |value, step| value.step(step))
            .filter(|value| !value.is_null())
    }

    /// Returns the keys and values of the top level, in their order; `None` if the top level is not a map.
    pub fn entries(&self) -> Option<impl Iterator<Item = (&str, &Value)>> {
        match self.root.resolved() {
            Value::Map(Map { entries, .. }) => {
                Some(entries.iter().map(|(key, value)| (key.expose().as_str(), value)))
            }
            _ => None,
        }
    }

    /// Returns the text of one of this document's values: of a text itself, of others their JSON.
    pub fn text(&self, value: &Value) -> Sensitive<String> {
        value.text(self.source.expose())
    }

    /// Returns about the length of [`Self::text`] in bytes, at no cost: of a map or a list that of the whole document.
    pub fn approximate_text_bytes(&self, value: &Value) -> usize {
        value.as_text().map_or(self.source.expose().len(), str::len)
    }

    /// Returns the approximate size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.source.expose().capacity() + self.root.heap_bytes(&mut HashSet::new())
    }
}

#[cfg(test)]
mod tests;

//! Several secrets that become one file: `combine`.

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    absence::{IfAbsent, Presence},
    file::{FileMode, RelativePath},
    key_path::KeyPath,
};

/// A file of several values, each with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombinedFile {
    /// The path.
    pub path: RelativePath,
    /// The mode, if the entry names one.
    pub mode: Option<FileMode>,
    /// The format.
    pub format: CombineFormat,
    /// Whether the secrets of the items must exist; an item's own `if_absent` can be milder.
    pub presence: Presence,
    /// The number of items, at least one.
    pub items: usize,
}

/// A secret, or a part of one, that is a value of a [`CombinedFile`]. The items of a file follow each other in the
/// objects of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CombineItem {
    /// The file.
    pub file: Arc<CombinedFile>,
    /// The place among the items of the file, from 0 on.
    pub index: usize,
    /// The key of the value.
    pub key: CombineKey,
    /// The place of the value in the secret's JSON; `None` is the whole value.
    pub part: Option<KeyPath>,
    /// The action without the part, or without the secret.
    pub if_absent: IfAbsent,
}

impl CombineItem {
    /// Returns whether the file is complete with this item.
    pub fn is_last(&self) -> bool {
        self.index + 1 == self.file.items
    }
}

/// The format of a combined file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CombineFormat {
    /// `dotenv`: lines of `KEY=value` that a POSIX shell reads
    /// (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02>).
    Dotenv,
    /// `properties`: `java.util.Properties` in ASCII
    /// (<https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html>).
    Properties,
    /// `json`: one object (RFC 8259).
    Json,
    /// `yaml`: one map (YAML 1.2), which readers of YAML 1.1 read alike.
    Yaml,
}

/// A text is not the `format` of `combine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use dotenv, properties, json or yaml")]
pub struct UnknownCombineFormat;

impl FromStr for CombineFormat {
    type Err = UnknownCombineFormat;

    /// Parses a format in any case.
    fn from_str(text: &str) -> Result<Self, UnknownCombineFormat> {
        match text.to_ascii_lowercase().as_str() {
            "dotenv" => Ok(Self::Dotenv),
            "properties" => Ok(Self::Properties),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => Err(UnknownCombineFormat),
        }
    }
}

/// The key of a value in a combined file: 1 to 256 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CombineKey(String);

/// Longest key of a combined file, in bytes.
pub const MAX_COMBINE_KEY: usize = 256;

/// Why a text is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCombineKey {
    /// The text is too long.
    #[error("is longer than {MAX_COMBINE_KEY} bytes")]
    TooLong,
    /// The text contains a line end or another control character.
    #[error("must not contain control characters")]
    Control,
    /// No variable of a shell has such a name.
    #[error("is not the name of a shell variable; use letters, digits and _, and no digit in front")]
    NotVariable,
}

impl CombineKey {
    /// Returns the key as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key, if a file of `format` can have it.
    ///
    /// # Errors
    /// The key is not the name of a shell variable, and the format is dotenv.
    pub fn checked(self, format: CombineFormat) -> Result<Self, InvalidCombineKey> {
        let starts_well = !self.0.starts_with(|c: char| c.is_ascii_digit());
        let is_variable = starts_well && self.0.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if format == CombineFormat::Dotenv && !is_variable {
            return Err(InvalidCombineKey::NotVariable);
        }
        Ok(self)
    }
}

impl FromStr for CombineKey {
    type Err = InvalidCombineKey;

    fn from_str(text: &str) -> Result<Self, InvalidCombineKey> {
        if text.len() > MAX_COMBINE_KEY {
            return Err(InvalidCombineKey::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidCombineKey::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for CombineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_takes_names_of_variables_alone() {
        let long = "K".repeat(MAX_COMBINE_KEY);
        for (key, is_variable) in [
            ("DB_PASSWORD", true),
            ("_a1", true),
            (long.as_str(), true),
            ("1A", false),
            ("A-B", false),
            ("a b", false),
            ("ä", false),
        ] {
            let key: CombineKey = key.parse().unwrap();
            assert_eq!(key.clone().checked(CombineFormat::Dotenv).is_ok(), is_variable, "{key}");
            assert!(key.checked(CombineFormat::Json).is_ok());
        }
        assert_eq!("a\nb".parse::<CombineKey>(), Err(InvalidCombineKey::Control));
        assert_eq!("K".repeat(MAX_COMBINE_KEY + 1).parse::<CombineKey>(), Err(InvalidCombineKey::TooLong));
    }
}

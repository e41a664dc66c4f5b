//! The syntax of a structured value.

use std::str::FromStr;

/// The syntax in which a value holds keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Syntax {
    /// `json` (RFC 8259).
    #[default]
    Json,
    /// `yaml`: one document of YAML 1.2 in its core schema.
    Yaml,
    /// `dotenv`: lines of `KEY=value`.
    Dotenv,
}

/// A text is not an `extract`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use json, yaml or dotenv")]
pub struct UnknownSyntax;

impl FromStr for Syntax {
    type Err = UnknownSyntax;

    /// Parses a syntax in any case.
    fn from_str(text: &str) -> Result<Self, UnknownSyntax> {
        match text.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            "dotenv" => Ok(Self::Dotenv),
            _ => Err(UnknownSyntax),
        }
    }
}

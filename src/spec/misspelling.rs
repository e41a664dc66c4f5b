//! A misspelt parameter name.

use std::fmt;

use super::excerpt::Excerpt;

/// A parameter that is ignored because its name is misspelt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelling {
    /// The name as written.
    pub written: Excerpt,
    /// The closest known name.
    pub meant: &'static str,
}

impl fmt::Display for Misspelling {
    /// Writes `parameter "clientId" is unknown (did you mean clientID?)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter {} is unknown (did you mean {}?)", self.written, self.meant)
    }
}

//! A parameter of an unknown name that is nearly the name of a known one.

use std::fmt;

use super::excerpt::Excerpt;

/// A parameter that has no effect, as its name is misspelt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelling {
    /// The name as written.
    pub written: Excerpt,
    /// The nearest name that there is.
    pub meant: &'static str,
}

impl fmt::Display for Misspelling {
    /// `parameter "clientId" is unknown (did you mean clientID?)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter {} is unknown (did you mean {}?)", self.written, self.meant)
    }
}

//! The object names that are label values. Names come from SecretProviderClasses, so their number has a bound.

use std::collections::HashSet;

/// The most objects with a label value of their own.
const MAX_NAMES: usize = 1_000;

/// The label value that all other objects share.
const OTHER: &str = "other";

/// A set of the object names that are label values: the first that were read.
#[derive(Debug, Default)]
pub(super) struct ObjectNames(HashSet<String>);

impl ObjectNames {
    /// Returns the label value of an object.
    pub(super) fn label<'a>(&mut self, name: &'a str) -> &'a str {
        if self.0.contains(name) {
            return name;
        }
        if self.0.len() == MAX_NAMES {
            return OTHER;
        }
        self.0.insert(name.to_owned());
        name
    }
}

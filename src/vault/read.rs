//! The reads that a mount can send to a vault.

use std::fmt;

use crate::spec::object::{ObjectName, ObjectType, ObjectVersion};

/// A read of one version of an object (the newest if none is named), or of a list of all versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Read {
    /// The kind of object.
    pub object_type: ObjectType,
    /// The name of the object.
    pub name: ObjectName,
    /// The version; `None` is the newest.
    pub version: Option<ObjectVersion>,
}

impl fmt::Display for Read {
    /// Formats the read as `secret/db-password`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.object_type, self.name)
    }
}

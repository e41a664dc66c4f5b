//! What is asked of a vault.

use std::fmt;

use crate::spec::object::{ObjectName, ObjectType, ObjectVersion};

/// One read: a version of an object, the newest where none is named; or of a list, all versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Read {
    /// The kind of object.
    pub object_type: ObjectType,
    /// Its name.
    pub name: ObjectName,
    /// The version.
    pub version: Option<ObjectVersion>,
}

impl fmt::Display for Read {
    /// `secret/db-password`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.object_type, self.name)
    }
}

//! The requests whose answers mounts share.

use std::fmt;

use crate::spec::object::{ObjectName, ObjectType};

use super::{list::List, read::Read};

/// A read of an object or of its versions, or a list of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Request {
    /// A read of one object, or of a list of its versions.
    Object(Read),
    /// A list of the vault's objects of one type.
    List(List),
}

impl Request {
    /// Returns the type of what is read.
    pub(super) fn object_type(&self) -> ObjectType {
        match self {
            Self::Object(read) => read.object_type,
            Self::List(list) => list.object_type,
        }
    }

    /// Returns the name of the object; `None` for a list of objects.
    pub(super) fn name(&self) -> Option<&ObjectName> {
        match self {
            Self::Object(read) => Some(&read.name),
            Self::List(_) => None,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(read) => read.fmt(f),
            Self::List(list) => list.fmt(f),
        }
    }
}

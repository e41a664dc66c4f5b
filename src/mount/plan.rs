//! What to read, each version once, and who wants it.

use std::collections::HashMap;

use crate::spec::object::{ObjectName, ObjectSpec, ObjectType, ObjectVersion};

use super::error::ObjectError;

/// One read: a version of an object, the newest where none is named.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Read {
    pub(super) object_type: ObjectType,
    pub(super) name: ObjectName,
    pub(super) version: Option<ObjectVersion>,
}

/// The versions wanted of one object.
#[derive(Debug)]
pub(super) enum Selected {
    /// One, in a file of the object's own name.
    Single(Option<ObjectVersion>),
    /// A history, each in a file of its own in a directory of that name.
    History(Vec<ObjectVersion>),
}

/// The reads of a mount, and for each object which of them it wants.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) reads: Vec<Read>,
    /// As many as there are objects, in their order.
    pub(super) wanted: Vec<Result<Wanted, ObjectError>>,
}

/// Places in [`Plan::reads`].
#[derive(Debug)]
pub(super) enum Wanted {
    Single(usize),
    History(Vec<usize>),
}

impl Plan {
    /// Plans the reads of `objects`, given what was selected of each, in the same order.
    pub(super) fn new(objects: &[ObjectSpec], selected: Vec<Result<Selected, ObjectError>>) -> Self {
        let mut reads = Reads::default();
        let wanted = objects
            .iter()
            .zip(selected)
            .map(|(object, selected)| {
                Ok(match selected? {
                    Selected::Single(version) => Wanted::Single(reads.place(object, version)),
                    Selected::History(versions) => Wanted::History(
                        versions.into_iter().map(|version| reads.place(object, Some(version))).collect(),
                    ),
                })
            })
            .collect();
        Self { reads: reads.reads, wanted }
    }
}

#[derive(Default)]
struct Reads {
    reads: Vec<Read>,
    places: HashMap<Read, usize>,
}

impl Reads {
    fn place(&mut self, object: &ObjectSpec, version: Option<ObjectVersion>) -> usize {
        let read = Read { object_type: object.object_type(), name: object.name.clone(), version };
        *self.places.entry(read).or_insert_with_key(|read| {
            self.reads.push(read.clone());
            self.reads.len() - 1
        })
    }
}

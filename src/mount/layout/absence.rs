//! The files of an entry whose object the vault does not have.

use crate::spec::{
    absence::{IfAbsent, Presence},
    file::{FileMode, RelativePath},
    object::ObjectSpec,
    output::OutputsShape,
    sensitive::Sensitive,
    shape::{KeySelection, Shape},
};

use super::super::{
    fetch::{Fetched, Versions},
    volume::{ABSENT, DEFAULT},
};

/// What an entry leaves in the volume without its object.
pub(super) struct Fallback {
    /// The files with their default content.
    pub(super) files: Vec<(RelativePath, Option<FileMode>, Sensitive<Vec<u8>>)>,
}

impl Fallback {
    /// Returns what `object` leaves; `None` if the mount fails without the object.
    pub(super) fn of(object: &ObjectSpec) -> Option<Self> {
        let files = match &object.shape {
            Shape::File(file) => match &file.if_absent {
                IfAbsent::Fail => return None,
                IfAbsent::Omit => Vec::new(),
                IfAbsent::Write(default) => vec![(file.path.clone(), file.mode, default.bytes())],
            },
            Shape::Outputs(OutputsShape { presence: Presence::Required, .. })
            | Shape::Item(_)
            | Shape::Password => {
                return None;
            }
            Shape::Outputs(OutputsShape { presence: Presence::Optional, .. }) => Vec::new(),
            Shape::Keys(keys) => match (&keys.keys, keys.presence) {
                (KeySelection::All { .. }, Presence::Required) => return None,
                (KeySelection::All { .. }, Presence::Optional) => Vec::new(),
                (KeySelection::Listed(items), presence) => {
                    let mut files = Vec::new();
                    for item in items {
                        match (&item.if_absent, presence) {
                            (IfAbsent::Write(default), _) => {
                                files.push((item.path.clone(), item.mode, default.bytes()));
                            }
                            (IfAbsent::Omit, _) | (IfAbsent::Fail, Presence::Optional) => {}
                            (IfAbsent::Fail, Presence::Required) => return None,
                        }
                    }
                    files
                }
            },
        };
        Some(Self { files })
    }

    /// Returns the version that the driver records in place of one of the vault's.
    pub(super) fn version(&self) -> &'static str {
        if self.files.is_empty() { ABSENT } else { DEFAULT }
    }
}

/// Returns whether the vault says that it does not have the object.
pub(super) fn is_absent(fetched: &Fetched) -> bool {
    match fetched {
        Ok(Versions::Single(read)) => read.bundle.as_ref().is_err_and(|error| error.is_absence()),
        Ok(Versions::History(_)) => false,
        Err(error) => error.is_absence(),
    }
}

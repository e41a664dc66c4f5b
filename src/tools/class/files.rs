//! The files that an entry makes, as far as its class tells.

use crate::spec::{
    absence::{IfAbsent, Presence},
    file::FileMode,
    find::{FindSpec, FoundShape},
    object::{ObjectSpec, VersionSelector},
    shape::{KeySelection, Shape},
};

/// A file, or a family of files whose names are known only after reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The path.
    pub(crate) name: Name,
    /// The mode, if the entry names one.
    pub(crate) mode: Option<FileMode>,
    /// True if the file may be absent from the volume.
    pub(crate) may_miss: bool,
}

/// The path of a file, or where files of unknown names are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// One file.
    Exactly(String),
    /// All files in a directory; an empty text is the volume's root.
    Within(String),
}

impl Expected {
    /// Returns whether a path of the volume may be this file.
    pub(crate) fn matches(&self, path: &str) -> bool {
        match &self.name {
            Name::Exactly(name) => {
                // With --write-cert-and-key-in-separate-files, a certificate's secret has two more files.
                matches!(path.strip_prefix(name.as_str()), Some("" | ".crt" | ".key"))
            }
            Name::Within(directory) if directory.is_empty() => true,
            Name::Within(directory) => {
                path.strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }
}

impl std::fmt::Display for Name {
    /// Writes `db/password`, or `db/…` for a directory.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(path) => f.write_str(path),
            Self::Within(directory) if directory.is_empty() => f.write_str("…"),
            Self::Within(directory) => write!(f, "{directory}/…"),
        }
    }
}

/// Returns the files of an entry that finds objects.
pub(crate) fn of_found(find: &FindSpec) -> Expected {
    let mode = match &find.shape {
        FoundShape::File { mode, .. } | FoundShape::Keys { mode, .. } => *mode,
        // Each output has its own.
        FoundShape::Outputs(_) => None,
    };
    let directory = find.directory.as_ref().map(ToString::to_string).unwrap_or_default();
    // The objects may change at any time.
    Expected { name: Name::Within(directory), mode, may_miss: true }
}

/// Returns the files of an entry.
pub(crate) fn expected(object: &ObjectSpec) -> Vec<Expected> {
    let exactly = |path: &dyn ToString| Name::Exactly(path.to_string());
    match &object.shape {
        Shape::File(file) => {
            let name = match object.versions {
                VersionSelector::History { .. } => Name::Within(file.path.to_string()),
                _ => exactly(&file.path),
            };
            vec![Expected { name, mode: file.mode, may_miss: file.if_absent == IfAbsent::Omit }]
        }
        Shape::Outputs(shape) => {
            let files = shape.outputs.files().into_iter();
            let may_miss = |presence| Presence::Optional == presence || shape.presence == Presence::Optional;
            files
                .map(|file| Expected {
                    name: exactly(file.path),
                    mode: file.mode,
                    may_miss: may_miss(file.presence),
                })
                .collect()
        }
        Shape::Item(item) if item.is_last() => {
            vec![Expected { name: exactly(&item.file.path), mode: item.file.mode, may_miss: false }]
        }
        Shape::Item(_) | Shape::Password => Vec::new(),
        Shape::Keys(keys) => match &keys.keys {
            KeySelection::All { directory, mode } => vec![Expected {
                name: Name::Within(directory.as_ref().map(ToString::to_string).unwrap_or_default()),
                mode: *mode,
                may_miss: keys.presence == Presence::Optional,
            }],
            KeySelection::Listed(files) => files
                .iter()
                .map(|file| Expected {
                    name: exactly(&file.path),
                    mode: file.mode,
                    may_miss: file.if_absent == IfAbsent::Omit,
                })
                .collect(),
        },
    }
}

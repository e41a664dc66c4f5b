//! Finds objects with colliding paths. The driver would silently keep the later object, or fail after all reads.

use crate::spec::{
    file::RelativePath,
    object::{ObjectName, ObjectSpec, VersionSelector},
    output::OutputFile,
    overlap::{Overlap, overlaps},
    shape::{KeySelection, Shape},
};

use super::{
    entry::Parsed,
    error::{Problem, Problems},
};

/// A path that an entry names.
struct Claim<'a> {
    /// The index of the entry.
    entry: usize,
    /// The item of the entry, as messages show it; empty for the entry itself.
    item: String,
    /// The name of the object; `None` if the file is of several.
    name: Option<&'a ObjectName>,
    path: &'a RelativePath,
    place: Place,
}

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    File,
    /// A history's directory, in which the versions' files have numbers.
    History {
        depth: usize,
    },
    /// A directory of files whose names are known only after reading.
    Open,
}

/// Adds a problem for each path that collides with another one. An entry that is `None` has no paths: those of an invalid
/// entry are not certain.
///
/// Compat: an entry that is listed twice is allowed, since both entries mean the same files.
pub(super) fn find(entries: &[Option<Parsed>], problems: &mut Problems) {
    let claims: Vec<Claim<'_>> = (0..)
        .zip(entries)
        .filter_map(|(index, entry)| Some((index, entry.as_ref()?)))
        .flat_map(|(index, entry)| claims_of_entry(index, entry))
        .collect();
    let paths: Vec<_> = claims.iter().map(|claim| claim.path).collect();
    for (index, other, how) in overlaps(&paths, |outer, rest| claims[outer].place.leaves_room(rest)) {
        let (claim, earlier) = (&claims[index], &claims[other]);
        let how = match how {
            Overlap::Same
                if claim.entry != earlier.entry && entries[claim.entry] == entries[earlier.entry] =>
            {
                continue;
            }
            Overlap::Same if claim.place.shares_with(earlier.place) => continue,
            Overlap::Same => "the same as",
            Overlap::Inside => "inside",
        };
        problems.push(Problem::wrong(
            claim.label(),
            format!(
                "its path {:?} is {how} that of {}; set another objectAlias",
                claim.path.as_str(),
                earlier.label()
            ),
        ));
    }
}

fn claims_of_entry(index: usize, entry: &Parsed) -> Vec<Claim<'_>> {
    match entry {
        Parsed::Objects(objects) => objects.iter().flat_map(|object| claims(index, object)).collect(),
        Parsed::Find(find) => {
            let claim =
                |path| Claim { entry: index, item: String::new(), name: None, path, place: Place::Open };
            find.directory.iter().map(claim).collect()
        }
    }
}

fn claims<'a>(entry: usize, object: &'a ObjectSpec) -> Vec<Claim<'a>> {
    let name = Some(&object.name);
    let claim = |path, place| Claim { entry, item: String::new(), name, path, place };
    let item = |item: String, path| Claim { entry, item, name, path, place: Place::File };
    match &object.shape {
        Shape::File(file) => {
            let place = match object.versions {
                VersionSelector::History { depth, .. } => Place::History { depth },
                VersionSelector::Newest | VersionSelector::Pinned(_) | VersionSelector::Chosen(_) => {
                    Place::File
                }
            };
            vec![claim(&file.path, place)]
        }
        Shape::Outputs(shape) => {
            let claim =
                |(index, file): (usize, OutputFile<'a>)| item(format!(".outputs[{index}]"), file.path);
            shape.outputs.files().into_iter().enumerate().map(claim).collect()
        }
        Shape::Item(item) if item.is_last() => {
            vec![Claim { name: None, ..claim(&item.file.path, Place::File) }]
        }
        Shape::Item(_) | Shape::Password => Vec::new(),
        Shape::Keys(keys) => match &keys.keys {
            KeySelection::All { directory, .. } => {
                directory.iter().map(|path| claim(path, Place::Open)).collect()
            }
            KeySelection::Listed(files) => {
                let claim = |(index, file)| item(format!(".jmesPath[{index}]"), file);
                files.iter().map(|file| &file.path).enumerate().map(claim).collect()
            }
        },
    }
}

impl Claim<'_> {
    /// Returns the path and the name of the entry or item: `objects[2].jmesPath[1] (db)`.
    fn label(&self) -> String {
        let name = self.name.map(|name| format!(" ({name})")).unwrap_or_default();
        format!("objects[{}]{}{name}", self.entry, self.item)
    }
}

impl Place {
    /// Returns whether `rest` may lie below the path.
    fn leaves_room(self, rest: &str) -> bool {
        match self {
            Self::File => false,
            Self::Open => true,
            Self::History { depth } => {
                let first = rest.split('/').next().unwrap_or_default();
                let number = first.parse::<usize>().ok().filter(|number| number.to_string() == first);
                number.is_none_or(|number| number > depth)
            }
        }
    }

    /// Returns whether two directories may be one. What collides in them is known after reading.
    fn shares_with(self, other: Self) -> bool {
        match (self, other) {
            (Self::Open, Self::Open | Self::History { .. }) | (Self::History { .. }, Self::Open) => true,
            (Self::File, _) | (_, Self::File) | (Self::History { .. }, Self::History { .. }) => false,
        }
    }
}

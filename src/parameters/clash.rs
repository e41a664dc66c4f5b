//! Finds objects with colliding paths. The driver would silently keep the later object, or fail after all reads.

use crate::spec::{
    file::RelativePath,
    object::{ObjectSpec, VersionSelector},
    output::OutputFile,
    overlap::{Overlap, overlaps},
    shape::{KeySelection, Shape},
};

use super::error::{Problem, Problems};

/// A path that an entry names.
struct Claim<'a> {
    /// The index of the entry.
    entry: usize,
    /// The item of the entry, as messages show it; empty for the entry itself.
    item: String,
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

/// Adds a problem for each path that collides with another one.
///
/// Compat: an entry that is listed twice is allowed, since both entries mean the same files.
pub(super) fn find(objects: &[ObjectSpec], problems: &mut Problems) {
    let claims: Vec<Claim<'_>> =
        (0..).zip(objects).flat_map(|(index, object)| claims(index, object)).collect();
    let paths: Vec<_> = claims.iter().map(|claim| claim.path).collect();
    for (index, other, how) in overlaps(&paths, |outer, rest| claims[outer].place.leaves_room(rest)) {
        let (claim, earlier) = (&claims[index], &claims[other]);
        let how = match how {
            Overlap::Same
                if claim.entry != earlier.entry && objects[claim.entry] == objects[earlier.entry] =>
            {
                continue;
            }
            Overlap::Same if claim.place.shares_with(earlier.place) => continue,
            Overlap::Same => "the same as",
            Overlap::Inside => "inside",
        };
        problems.push(Problem::wrong(
            claim.label(objects),
            format!(
                "its path {:?} is {how} that of {}; set another objectAlias",
                claim.path.as_str(),
                earlier.label(objects)
            ),
        ));
    }
}

fn claims<'a>(entry: usize, object: &'a ObjectSpec) -> Vec<Claim<'a>> {
    match &object.shape {
        Shape::File(file) => {
            let place = match object.versions {
                VersionSelector::History { depth, .. } => Place::History { depth },
                VersionSelector::Newest | VersionSelector::Pinned(_) | VersionSelector::Chosen(_) => {
                    Place::File
                }
            };
            vec![Claim { entry, item: String::new(), path: &file.path, place }]
        }
        Shape::Outputs(shape) => {
            let claim =
                |(index, file): (usize, OutputFile<'a>)| item(entry, format!(".outputs[{index}]"), file.path);
            shape.outputs.files().into_iter().enumerate().map(claim).collect()
        }
        Shape::Password => Vec::new(),
        Shape::Keys(keys) => match &keys.keys {
            KeySelection::All { directory, .. } => {
                let claim = |path| Claim { entry, item: String::new(), path, place: Place::Open };
                directory.iter().map(claim).collect()
            }
            KeySelection::Listed(files) => {
                let claim = |(index, file)| item(entry, format!(".jmesPath[{index}]"), file);
                files.iter().map(|file| &file.path).enumerate().map(claim).collect()
            }
        },
    }
}

/// Returns the claim of an item's file.
fn item(entry: usize, item: String, path: &RelativePath) -> Claim<'_> {
    Claim { entry, item, path, place: Place::File }
}

impl Claim<'_> {
    /// Returns the path and the name of the entry or item: `objects[2].jmesPath[1] (db)`.
    fn label(&self, objects: &[ObjectSpec]) -> String {
        format!("objects[{}]{} ({})", self.entry, self.item, objects[self.entry].name)
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

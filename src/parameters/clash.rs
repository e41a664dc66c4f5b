//! Two objects in one place, of which the driver would silently keep the later, or fail after all the work is done.

use std::collections::HashMap;

use crate::spec::{
    file::RelativePath,
    object::{ObjectSpec, VersionSelector},
};

use super::error::{Problem, Problems};

/// Adds a problem for each object whose files would lie where those of an earlier object do.
///
/// Compat: the very same entry twice is no clash; its file is the same file.
pub(super) fn find(objects: &[ObjectSpec], problems: &mut Problems) {
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (index, object) in objects.iter().enumerate() {
        let earlier = *places.entry(object.path.as_str()).or_insert(index);
        if earlier != index && objects[earlier] != *object {
            problems.push(clash(objects, index, earlier, "the same as"));
        }
    }
    for (index, object) in objects.iter().enumerate() {
        for (ancestor, rest) in ancestors(&object.path) {
            if let Some(&other) = places.get(ancestor)
                && !leaves_room(&objects[other], rest)
            {
                problems.push(clash(objects, index, other, "inside"));
            }
        }
    }
}

/// Every directory that a path lies in, with the rest of the path.
fn ancestors(path: &RelativePath) -> impl Iterator<Item = (&str, &str)> {
    let path = path.as_str();
    path.match_indices('/').map(move |(at, _)| (&path[..at], &path[at + 1..]))
}

/// Whether the object is a directory of versions, and `rest` is none of them nor in one of them.
fn leaves_room(object: &ObjectSpec, rest: &str) -> bool {
    let first = rest.split('/').next().unwrap_or_default();
    matches!(object.versions, VersionSelector::History { .. }) && !first.bytes().all(|b| b.is_ascii_digit())
}

fn clash(objects: &[ObjectSpec], index: usize, other: usize, how: &str) -> Problem {
    let (object, earlier) = (&objects[index], &objects[other]);
    Problem::wrong(
        format!("objects[{index}] ({})", object.name),
        format!(
            "its path {:?} is {how} that of objects[{other}] ({}); set another objectAlias",
            object.path.as_str(),
            earlier.name
        ),
    )
}

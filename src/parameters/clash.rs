//! Two objects in one place, of which the driver would silently keep the later, or fail after all the work is done.

use crate::spec::{
    object::{ObjectSpec, VersionSelector},
    overlap::{Overlap, overlaps},
};

use super::error::{Problem, Problems};

/// Adds a problem for each object whose files would lie where those of another object do.
///
/// Compat: the very same entry twice is no clash; its file is the same file.
pub(super) fn find(objects: &[ObjectSpec], problems: &mut Problems) {
    let paths: Vec<_> = objects.iter().map(|object| &object.path).collect();
    for (index, other, how) in overlaps(&paths, |outer, rest| leaves_room(&objects[outer], rest)) {
        match how {
            Overlap::Same if objects[index] == objects[other] => {}
            Overlap::Same => problems.push(clash(objects, index, other, "the same as")),
            Overlap::Inside => problems.push(clash(objects, index, other, "inside")),
        }
    }
}

/// Whether the object is a directory of versions, and `rest` is none of them nor in one of them.
fn leaves_room(object: &ObjectSpec, rest: &str) -> bool {
    let VersionSelector::History { depth, .. } = object.versions else { return false };
    let first = rest.split('/').next().unwrap_or_default();
    let number = first.parse::<usize>().ok().filter(|number| number.to_string() == first);
    number.is_none_or(|number| number > depth)
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

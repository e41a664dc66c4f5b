//! Finds objects with colliding paths. The driver would silently keep the later object, or fail after all reads.

use crate::spec::{
    object::{ObjectSpec, VersionSelector},
    overlap::{Overlap, overlaps},
};

use super::error::{Problem, Problems};

/// Adds a problem for each object whose files collide with those of another object.
///
/// Compat: an entry that is listed twice is allowed, since both entries mean the same file.
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

/// Returns whether `rest` may lie in the object's directory of versions: it must not collide with a version's file.
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

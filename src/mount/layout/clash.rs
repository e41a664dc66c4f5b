//! Finds files that collide. The parameters exclude it for paths that they name; suffixes, and keys of values, are
//! known only here.

use crate::spec::{file::RelativePath, object::ObjectSpec, overlap::overlaps, shape::Shape};

use super::super::{
    draft::Draft,
    failure::{ObjectError, ObjectFailure},
};

/// Returns the objects whose files collide. `owners` has the index of each file's object.
pub(super) fn find(objects: &[ObjectSpec], draft: &Draft, owners: &[usize]) -> Vec<ObjectFailure> {
    let paths: Vec<&RelativePath> = draft.paths().collect();
    let mut failures = Vec::new();
    for (file, other, _) in overlaps(&paths, |_, _| false) {
        let (owner, earlier) = (owners[file], owners[other]);
        let path = paths[file].to_string();
        let error = if owner == earlier {
            ObjectError::KeyClash(path)
        } else if objects[owner].has_files_of(&objects[earlier]) {
            // Compat: an entry that is listed twice means the same files. So does an object that two finds found.
            continue;
        } else {
            // A combined file is not one of its objects alone.
            let (failed, other) = match &objects[owner].shape {
                Shape::Item(_) => (earlier, owner),
                _ => (owner, earlier),
            };
            let error = ObjectError::Clash { path, owner: name(&objects[other]) };
            failures.push(ObjectFailure::new(&objects[failed], None, error));
            continue;
        };
        failures.push(ObjectFailure::new(&objects[owner], None, error));
    }
    failures
}

fn name(object: &ObjectSpec) -> String {
    match &object.shape {
        Shape::Item(item) => format!("the combined file {:?}", item.file.path.as_str()),
        _ => object.to_string(),
    }
}

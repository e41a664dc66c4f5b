//! Finds files that collide. The parameters exclude it for paths that they name; suffixes, keys of values, and names of
//! found objects are known only here.

use crate::spec::{file::RelativePath, object::ObjectSpec, overlap::overlaps, shape::Shape};

use super::super::{
    draft::Draft,
    failure::{ObjectError, ObjectFailure},
};

/// Returns the objects whose files collide. `owners` has the index of each file's object. Files of keys of one value are
/// not compared: the builder knows both keys when it adds them, and reports the collision.
pub(super) fn find(objects: &[ObjectSpec], draft: &Draft, owners: &[usize]) -> Vec<ObjectFailure> {
    let paths: Vec<&RelativePath> = draft.paths().collect();
    let mut failures = Vec::new();
    for (file, other, _) in overlaps(&paths, |_, _| false) {
        let (owner, earlier) = (owners[file], owners[other]);
        let (failed, other) = match &objects[owner].shape {
            Shape::Keys(_) if owner == earlier => continue,
            _ if owner == earlier => (owner, "another of its outputs".to_owned()),
            // Compat: an entry that is listed twice means the same files. So does an object that two finds found.
            _ if objects[owner].has_files_of(&objects[earlier]) => continue,
            // A combined file is not one of its objects alone.
            Shape::Item(_) => (earlier, name(&objects[owner])),
            _ => (owner, name(&objects[earlier])),
        };
        let error = ObjectError::Clash { path: paths[file].to_string(), owner: other };
        failures.push(ObjectFailure::new(&objects[failed], None, error));
    }
    failures
}

fn name(object: &ObjectSpec) -> String {
    match &object.shape {
        Shape::Item(item) => format!("the combined file {:?}", item.file.path.as_str()),
        _ => object.to_string(),
    }
}

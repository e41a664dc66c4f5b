//! The memory of what a SecretProviderClass asks for. It is held while a mount waits and runs.

use std::mem::size_of;

use super::{
    MountSpec,
    absence::IfAbsent,
    file::RelativePath,
    find::{FindSpec, FoundShape, NameCondition},
    key_path::{KeyPath, Step},
    object::{ObjectName, ObjectSpec},
    output::{Output, Outputs, SecretOutput},
    shape::{KeyFile, KeySelection, Shape},
    vault::VaultName,
};

/// What the allocator adds to a text, in bytes.
const ALLOCATION: usize = 16;

impl MountSpec {
    /// Returns about how many bytes the objects and finds take, with their items and texts.
    pub fn estimated_bytes(&self) -> usize {
        of_objects(&self.objects) + self.finds.iter().map(of_find).sum::<usize>()
    }
}

/// Returns about how many bytes objects take, with their items and texts.
pub(crate) fn of_objects(objects: &[ObjectSpec]) -> usize {
    objects.iter().map(object).sum()
}

fn object(object: &ObjectSpec) -> usize {
    let ObjectSpec { vault, name, versions: _, shape, origin: _ } = object;
    let shape = match shape {
        Shape::File(file) => text(file.path.as_str()) + default(&file.if_absent),
        Shape::Keys(keys) => match &keys.keys {
            KeySelection::All { directory, mode: _ } => path(directory.as_ref()),
            KeySelection::Listed(files) => files.iter().map(key_file).sum(),
        },
        Shape::Outputs(shape) => outputs(&shape.outputs),
        Shape::Item(item) => {
            text(item.key.as_str())
                + item.part.as_ref().map_or(0, key_path)
                + default(&item.if_absent)
                + if item.is_last() { text(item.file.path.as_str()) } else { 0 }
        }
        Shape::Password => 0,
    };
    size_of::<ObjectSpec>() + vault_name(vault.as_ref()) + text(name.as_str()) + shape
}

/// Returns about how many bytes a find takes, with its compiled expressions.
pub(crate) fn of_find(find: &FindSpec) -> usize {
    let name = match &find.conditions.name {
        Some(NameCondition::Glob(glob)) => glob.estimated_bytes(),
        Some(NameCondition::Regexp(regexp)) => regexp.estimated_bytes(),
        None => 0,
    };
    let tags = find.conditions.tags.iter().map(|(name, value)| text(name) + text(value)).sum::<usize>();
    let shape = match &find.shape {
        FoundShape::Outputs(found) => outputs(found),
        FoundShape::File { .. } | FoundShape::Keys { .. } => 0,
    };
    let rewrites = find.rewrites.iter().map(super::rewrite::Rewrite::estimated_bytes).sum::<usize>();
    let content_type = find.conditions.content_type.as_deref().map_or(0, text);
    let places = vault_name(find.vault.as_ref()) + path(find.directory.as_ref());
    size_of::<FindSpec>() + places + name + tags + content_type + shape + rewrites
}

fn key_file(file: &KeyFile) -> usize {
    size_of::<KeyFile>() + key_path(&file.key) + text(file.path.as_str()) + default(&file.if_absent)
}

fn outputs(outputs: &Outputs) -> usize {
    let passwords = outputs.password_objects().map(ObjectName::as_str).map(text).sum::<usize>();
    let files = outputs.files();
    let paths = files.iter().map(|file| text(file.path.as_str())).sum::<usize>();
    files.len() * size_of::<Output<SecretOutput>>() + paths + passwords
}

fn key_path(path: &KeyPath) -> usize {
    // Each step has its own text.
    2 * text(path.as_str()) + path.steps().len() * (size_of::<Step>() + ALLOCATION)
}

fn default(if_absent: &IfAbsent) -> usize {
    match if_absent {
        IfAbsent::Write(default) => text(default.expose()),
        IfAbsent::Fail | IfAbsent::Omit => 0,
    }
}

fn path(path: Option<&RelativePath>) -> usize {
    path.map_or(0, |path| text(path.as_str()))
}

fn vault_name(vault: Option<&VaultName>) -> usize {
    vault.map_or(0, |vault| text(vault.as_str()))
}

fn text(text: &str) -> usize {
    text.len() + ALLOCATION
}

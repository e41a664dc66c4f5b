//! What a mount is asked to read.

use std::sync::Arc;

use crate::spec::{find::FindSpec, object::ObjectSpec, vault::VaultName};

use super::layout;

/// The objects that a class names, and the entries that find further ones. Clones share them.
///
/// Each has an index: first the finds, then the objects.
#[derive(Debug, Clone)]
pub(super) struct Requested {
    pub(super) finds: Arc<[FindSpec]>,
    pub(super) objects: Arc<[ObjectSpec]>,
}

impl Requested {
    /// Returns the request of a class. Reads of passwords are among the objects, unless more objects are to be found.
    pub(super) fn new(objects: Arc<[ObjectSpec]>, finds: Arc<[FindSpec]>) -> Self {
        let passwords = if finds.is_empty() { layout::password_reads(&objects) } else { Vec::new() };
        let objects = match passwords.as_slice() {
            [] => objects,
            _ => objects.iter().cloned().chain(passwords).collect(),
        };
        Self { finds, objects }
    }

    /// Returns a request of objects alone.
    pub(super) fn of_objects(objects: &Arc<[ObjectSpec]>) -> Self {
        Self { finds: Arc::new([]), objects: objects.clone() }
    }

    pub(super) fn len(&self) -> usize {
        self.finds.len() + self.objects.len()
    }

    /// Returns the vault of the request with this index; `None` is the class's own.
    pub(super) fn vault(&self, index: usize) -> Option<&VaultName> {
        match self.find_or_object(index) {
            Ok(find) => find.vault.as_ref(),
            Err(object) => object.vault.as_ref(),
        }
    }

    /// Returns the vault of each request.
    pub(super) fn vaults(&self) -> impl Iterator<Item = Option<&VaultName>> {
        (0..self.len()).map(|index| self.vault(index))
    }

    /// Returns the name of the request with this index, as messages show it.
    pub(super) fn name(&self, index: usize) -> String {
        match self.find_or_object(index) {
            Ok(find) => find.to_string(),
            Err(object) => object.to_string(),
        }
    }

    /// Returns the names of all requests, as messages show them.
    pub(super) fn names(&self) -> Vec<String> {
        (0..self.len()).map(|index| self.name(index)).collect()
    }

    /// Returns the same request, with what is in the class's own vault in `second`.
    pub(super) fn moved(&self, second: &VaultName) -> Self {
        let moved = |vault: &Option<VaultName>| Some(vault.clone().unwrap_or_else(|| second.clone()));
        let object = |object: &ObjectSpec| ObjectSpec { vault: moved(&object.vault), ..object.clone() };
        let find = |find: &FindSpec| FindSpec { vault: moved(&find.vault), ..find.clone() };
        Self {
            finds: self.finds.iter().map(find).collect(),
            objects: self.objects.iter().map(object).collect(),
        }
    }

    fn find_or_object(&self, index: usize) -> Result<&FindSpec, &ObjectSpec> {
        match self.finds.get(index) {
            Some(find) => Ok(find),
            None => Err(&self.objects[index - self.finds.len()]),
        }
    }
}

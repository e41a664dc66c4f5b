//! The passwords of stores and archives, which are secrets of their own.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    spec::{
        object::{ObjectName, ObjectSpec},
        output::Store,
        shape::Shape,
        vault::VaultName,
    },
    vault::Bundle,
};

use super::{
    super::{
        failure::ObjectError,
        fetch::{Fetched, Versions},
    },
    Builder, Owner,
};

/// The passwords of a mount.
#[derive(Default)]
pub(super) struct Passwords {
    read: HashMap<Place, Arc<Bundle>>,
    /// The passwords that an entry needed and that were not read.
    missed: HashSet<Place>,
}

/// The vault of a password, which is that of its entry, and its name there.
type Place = (Option<VaultName>, ObjectName);

/// Returns a read for each distinct object that holds a password of `objects`. An object is read once, also if it is an
/// entry of its own.
pub(in crate::mount) fn password_reads(objects: &[ObjectSpec]) -> Vec<ObjectSpec> {
    let mut seen = HashSet::new();
    let mut passwords = Vec::new();
    for object in objects {
        if let Shape::Outputs(shape) = &object.shape {
            for name in shape.outputs.password_objects() {
                if seen.insert((object.vault.clone(), name.clone())) {
                    passwords.push(ObjectSpec::password(object.vault.clone(), name.clone()));
                }
            }
        }
    }
    passwords
}

impl Passwords {
    pub(super) fn of(objects: &[ObjectSpec], fetched: &[Fetched]) -> Self {
        let mut passwords = Self::default();
        for (object, fetched) in objects.iter().zip(fetched) {
            if let (Shape::Password, Ok(Versions::Single(read))) = (&object.shape, fetched)
                && let Ok(bundle) = &read.bundle
            {
                let place = (object.vault.clone(), object.name.clone());
                passwords.read.insert(place, bundle.clone());
            }
        }
        passwords
    }

    /// Returns a password, byte for byte. `None` means that it was not read, which its own failure says.
    pub(super) fn get(&mut self, vault: Option<&VaultName>, name: &ObjectName) -> Option<&str> {
        let place = (vault.cloned(), name.clone());
        match self.read.get(&place).map(|bundle| &**bundle) {
            Some(Bundle::Secret(secret)) => Some(secret.value.expose()),
            _ => {
                self.missed.insert(place);
                None
            }
        }
    }

    /// Returns the password of a store; empty for what has none.
    pub(super) fn of_store(&mut self, vault: Option<&VaultName>, store: Option<&Store>) -> Option<&str> {
        match store.and_then(|store| store.password.as_ref()) {
            Some(name) => self.get(vault, name),
            None => Some(""),
        }
    }

    /// Returns whether an entry needed this password and did not get it.
    pub(super) fn was_missed(&self, password: &ObjectSpec) -> bool {
        self.missed.contains(&(password.vault.clone(), password.name.clone()))
    }
}

impl Builder<'_> {
    /// Adds the failure of a password's read. A password that does not exist and that no entry needed is no failure: the
    /// object of an optional store may be absent too.
    pub(super) fn password(&mut self, owner: Owner<'_>, fetched: Fetched) {
        let error: Option<ObjectError> = match fetched {
            Ok(Versions::Single(read)) => read.bundle.err().map(Into::into),
            Ok(Versions::History(_)) => None,
            Err(error) => Some(error),
        };
        if let Some(error) = error
            && (!error.is_absence() || self.passwords.was_missed(owner.object))
        {
            self.fail(owner, None, error);
        }
    }
}

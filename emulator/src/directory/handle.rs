//! The directory of a running emulator.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Directory, RoleAssignment};

/// Reads and changes a running emulator's directory. Clones share it.
#[derive(Clone, Debug)]
pub struct DirectoryHandle {
    current: Arc<RwLock<Arc<Directory>>>,
}

impl DirectoryHandle {
    pub(crate) fn new(directory: Directory) -> Self {
        Self { current: Arc::new(RwLock::new(Arc::new(directory))) }
    }

    /// The directory as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Directory> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another directory in place.
    pub fn replace(&self, directory: Directory) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
    }

    /// Changes the directory; requests see either the old one or the new one.
    pub fn update(&self, change: impl FnOnce(&mut Directory)) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut current));
    }

    /// Gives a principal a role.
    pub fn grant(&self, assignment: RoleAssignment) {
        self.update(|directory| directory.roles.push(assignment));
    }

    /// Takes every role from a principal, given by its client id.
    pub fn revoke_all(&self, principal: &str) {
        self.update(|directory| {
            directory.roles.retain(|held| !held.principal.eq_ignore_ascii_case(principal))
        });
    }
}

//! The directory of a running emulator.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Directory, RoleAssignment};

/// A handle that reads and changes a running emulator's directory. Clones share it.
#[derive(Clone, Debug)]
pub struct DirectoryHandle {
    current: Arc<RwLock<Arc<Directory>>>,
}

impl DirectoryHandle {
    pub(crate) fn new(directory: Directory) -> Self {
        Self { current: Arc::new(RwLock::new(Arc::new(directory))) }
    }

    /// Returns the current directory.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Directory> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the directory.
    pub fn replace(&self, directory: Directory) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
    }

    /// Changes the directory atomically: each request sees either the old or the new one.
    pub fn update(&self, change: impl FnOnce(&mut Directory)) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut current));
    }

    /// Assigns a role to a principal.
    pub fn grant(&self, assignment: RoleAssignment) {
        self.update(|directory| directory.roles.push(assignment));
    }

    /// Removes all roles of a principal, given by its client id.
    pub fn revoke_all(&self, principal: &str) {
        self.update(|directory| {
            directory.roles.retain(|held| !held.principal.eq_ignore_ascii_case(principal))
        });
    }
}

//! The objects of all vaults, shared between requests and tests.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use time::OffsetDateTime;

use super::{
    content::{ObjectKind, ObjectVersion, VaultAccess, VaultContent, VaultSet},
    rendering::{self, Template},
};

/// Vaults by name in lower case.
#[derive(Debug, Default)]
pub(crate) struct Store {
    vaults: RwLock<HashMap<String, Vault>>,
}

#[derive(Debug, Default)]
pub(super) struct Vault {
    pub(super) tenant: Option<String>,
    pub(super) access: VaultAccess,
    /// By type and name in lower case: Key Vault's names ignore case.
    pub(super) objects: HashMap<(ObjectKind, String), Object>,
    /// How far the listings of objects lag behind.
    pub(super) list_lag: Duration,
    /// What listings showed before each change, oldest first, while they lag.
    past: Vec<PastListing>,
}

/// The current versions of all objects of a vault, before a change.
#[derive(Debug)]
struct PastListing {
    changed: OffsetDateTime,
    versions: Vec<Arc<StoredVersion>>,
}

#[derive(Debug)]
pub(super) struct Object {
    /// The spelling of the first write.
    pub(super) name: Arc<str>,
    pub(super) versions: Vec<Arc<StoredVersion>>,
    pub(super) deleted: bool,
}

/// A version with its answer, which is rendered at the first request.
#[derive(Debug)]
pub(crate) struct StoredVersion {
    pub(super) kind: ObjectKind,
    pub(super) name: Arc<str>,
    pub(super) version: ObjectVersion,
    rendered: OnceLock<Template>,
}

/// The result of a look-up.
#[derive(Debug)]
pub(crate) enum Found {
    Version(Arc<StoredVersion>),
    /// The object is deleted but recoverable.
    Deleted,
    Nothing,
}

impl Store {
    pub(crate) fn replace(&self, vaults: VaultSet) {
        let vaults = vaults.into_iter().map(|(name, content)| (name.to_ascii_lowercase(), content.into()));
        *self.write() = vaults.collect();
    }

    /// Returns the tenant that a vault names; the outer `None` means that the vault does not exist.
    pub(crate) fn tenant(&self, vault: &str) -> Option<Option<String>> {
        self.read().get(vault).map(|vault| vault.tenant.clone())
    }

    /// Returns whether a vault requires a token.
    pub(super) fn access(&self, vault: &str) -> VaultAccess {
        self.read().get(vault).map(|vault| vault.access).unwrap_or_default()
    }

    pub(crate) fn find(&self, vault: &str, kind: ObjectKind, name: &str, version: &str) -> Found {
        let vaults = self.read();
        let key = (kind, name.to_ascii_lowercase());
        let Some(object) = vaults.get(vault).and_then(|vault| vault.objects.get(&key)) else {
            return Found::Nothing;
        };
        if object.deleted {
            return Found::Deleted;
        }
        let found = if version.is_empty() {
            object.current()
        } else {
            object.versions.iter().find(|stored| stored.version.version.eq_ignore_ascii_case(version))
        };
        found.map_or(Found::Nothing, |stored| Found::Version(Arc::clone(stored)))
    }

    /// Returns an object's versions in the order of its listing; empty for an unknown object, as in Key Vault.
    pub(super) fn versions(&self, vault: &str, kind: ObjectKind, name: &str) -> Vec<Arc<StoredVersion>> {
        let vaults = self.read();
        let object =
            vaults.get(vault).and_then(|vault| vault.objects.get(&(kind, name.to_ascii_lowercase())));
        object.filter(|object| !object.deleted).map_or_else(Vec::new, |object| object.versions.clone())
    }

    /// Returns the current version of every object of a type, by name, as listings show it at `now`.
    pub(super) fn current_versions(
        &self,
        vault: &str,
        kind: ObjectKind,
        now: OffsetDateTime,
    ) -> Vec<Arc<StoredVersion>> {
        let mut listed = self.read().get(vault).map(|vault| vault.listed(now)).unwrap_or_default();
        listed.retain(|stored| stored.kind == kind);
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Vault>> {
        self.vaults.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Vault>> {
        self.vaults.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault {
    /// Keeps what listings show before a change at `now`, if they lag.
    pub(super) fn before_change(&mut self, now: OffsetDateTime) {
        if !self.list_lag.is_zero() {
            let shown = now - self.list_lag;
            self.past.retain(|past| past.changed > shown);
            self.past.push(PastListing { changed: now, versions: self.current_versions() });
        }
    }

    /// Returns what listings show at `now`.
    fn listed(&self, now: OffsetDateTime) -> Vec<Arc<StoredVersion>> {
        let shown = now - self.list_lag;
        match self.past.iter().find(|past| past.changed > shown) {
            Some(past) => past.versions.clone(),
            None => self.current_versions(),
        }
    }

    fn current_versions(&self) -> Vec<Arc<StoredVersion>> {
        let objects = self.objects.values().filter(|object| !object.deleted);
        objects.filter_map(|object| object.current().cloned()).collect()
    }
}

impl Object {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into(), versions: Vec::new(), deleted: false }
    }

    pub(super) fn push(&mut self, kind: ObjectKind, version: ObjectVersion) {
        self.versions.push(Arc::new(StoredVersion::new(kind, &self.name, version)));
    }

    /// Returns the newest version, enabled or not.
    pub(super) fn current(&self) -> Option<&Arc<StoredVersion>> {
        self.versions.iter().max_by_key(|stored| stored.version.created)
    }
}

impl StoredVersion {
    pub(super) fn new(kind: ObjectKind, name: &Arc<str>, version: ObjectVersion) -> Self {
        Self { kind, name: Arc::clone(name), version, rendered: OnceLock::new() }
    }

    pub(super) fn enabled(&self) -> bool {
        self.version.enabled
    }

    pub(super) fn rendered(&self) -> &Template {
        self.rendered.get_or_init(|| rendering::bundle(self.kind, &self.name, &self.version))
    }
}

impl From<VaultContent> for Vault {
    fn from(mut content: VaultContent) -> Self {
        let mut vault = Self { tenant: content.tenant.take(), access: content.access, ..Self::default() };
        for kind in ObjectKind::ALL {
            for (name, versions) in std::mem::take(content.objects_mut(kind)) {
                let mut object = Object::new(&name);
                for version in versions {
                    object.push(kind, version);
                }
                vault.objects.insert((kind, name.to_ascii_lowercase()), object);
            }
        }
        vault
    }
}

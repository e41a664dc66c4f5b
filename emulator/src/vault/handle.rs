//! The vaults of a running emulator, as a test or an operator changes them.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use thiserror::Error;

use super::{
    content::{ObjectKind, ObjectVersion, VaultAccess, VaultContent, VaultSet},
    store::{Object, Store, StoredVersion, Vault},
};
use crate::{
    clock::Clock,
    fixtures::{BundleFormat, CertificateFixture, ChainOrder, FixtureError},
    ids::random_version,
};

/// A handle that reads and changes the vaults' objects. Clones share it.
#[derive(Clone, Debug)]
pub struct Vaults {
    store: Arc<Store>,
    clock: Clock,
}

/// The vault, object or version to change does not exist.
#[derive(Debug, Error)]
#[error("change {kind:?} '{name}' of vault '{vault}': no such object or version")]
pub struct UnknownObject {
    kind: ObjectKind,
    name: String,
    vault: String,
}

impl Vaults {
    pub(crate) fn new(store: Arc<Store>, clock: Clock) -> Self {
        Self { store, clock }
    }

    /// Replaces all vaults. Answers are rendered at their first request, so this is cheap.
    pub fn replace(&self, vaults: VaultSet) {
        self.store.replace(vaults);
    }

    /// Adds or replaces one vault.
    pub fn replace_vault(&self, name: &str, content: VaultContent) {
        self.store.write().insert(name.to_ascii_lowercase(), content.into());
    }

    /// Removes a vault.
    pub fn remove_vault(&self, name: &str) {
        self.store.write().remove(&name.to_ascii_lowercase());
    }

    /// Sets whether a vault requires a token. Creates the vault if it does not exist.
    pub fn set_access(&self, vault: &str, access: VaultAccess) {
        self.store.write().entry(vault.to_ascii_lowercase()).or_default().access = access;
    }

    /// Sets how far the vault's listings of objects lag behind its objects, by the emulator's clock. Creates the vault if
    /// it does not exist.
    pub fn set_list_lag(&self, vault: &str, lag: Duration) {
        self.store.write().entry(vault.to_ascii_lowercase()).or_default().list_lag = lag;
    }

    /// Adds a version of a secret that is newer than all others, and returns its id. Creates vault and secret if they
    /// do not exist.
    pub fn put_secret(&self, vault: &str, name: &str, value: &str) -> String {
        let body = Map::from_iter([("value".to_owned(), Value::from(value))]);
        self.put(vault, ObjectKind::Secret, name, body)
    }

    /// Adds a version with this body (see [`ObjectVersion::body`]) that is newer than all others, and returns its id.
    /// Creates vault and object if they do not exist, and recovers a deleted object.
    pub fn put(&self, vault: &str, kind: ObjectKind, name: &str, body: Map<String, Value>) -> String {
        let id = random_version();
        self.put_as(vault, kind, name, &id, body);
        id
    }

    /// Adds a certificate with its key and its secret under one new version, and returns its id.
    ///
    /// # Errors
    /// The secret's PFX cannot be written.
    pub fn put_certificate(
        &self,
        vault: &str,
        name: &str,
        fixture: &CertificateFixture,
        format: BundleFormat,
        order: ChainOrder,
    ) -> Result<String, FixtureError> {
        let mut secret = fixture.secret_body(format, order)?;
        let id = self.put(vault, ObjectKind::Certificate, name, fixture.certificate_body());
        secret.insert("kid".to_owned(), Value::String(format!("/keys/{name}/{id}")));
        self.put_as(vault, ObjectKind::Secret, name, &id, secret);
        self.put_as(vault, ObjectKind::Key, name, &id, fixture.key_body());
        Ok(id)
    }

    /// Adds this version. Creates vault and object if they do not exist, and recovers a deleted object.
    pub fn put_version(&self, vault: &str, kind: ObjectKind, name: &str, version: ObjectVersion) {
        self.edit(vault, kind, name, |object| object.push(kind, version));
    }

    /// Enables or disables a version; `None` means the current one.
    ///
    /// # Errors
    /// [`UnknownObject`] if it does not exist.
    pub fn set_enabled(
        &self,
        vault: &str,
        kind: ObjectKind,
        name: &str,
        version: Option<&str>,
        enabled: bool,
    ) -> Result<(), UnknownObject> {
        self.change(vault, kind, name, version, |version| version.enabled = enabled)
    }

    /// Changes a version; `None` means the current one.
    ///
    /// # Errors
    /// [`UnknownObject`] if it does not exist.
    pub fn change(
        &self,
        vault: &str,
        kind: ObjectKind,
        name: &str,
        version: Option<&str>,
        change: impl FnOnce(&mut ObjectVersion),
    ) -> Result<(), UnknownObject> {
        self.object(vault, kind, name, |object| {
            let current = object.current().map(|stored| stored.version.version.clone());
            let id = version.map(str::to_owned).or(current)?;
            let place = object.versions.iter_mut().find(|stored| stored.version.version == id)?;
            let mut changed = place.version.clone();
            change(&mut changed);
            *place = Arc::new(StoredVersion::new(kind, &object.name, changed));
            Some(())
        })
    }

    /// Deletes an object, which stays recoverable.
    ///
    /// # Errors
    /// [`UnknownObject`] if it does not exist.
    pub fn delete(&self, vault: &str, kind: ObjectKind, name: &str) -> Result<(), UnknownObject> {
        self.object(vault, kind, name, |object| {
            object.deleted = true;
            Some(())
        })
    }

    /// Recovers a deleted object.
    ///
    /// # Errors
    /// [`UnknownObject`] if it does not exist.
    pub fn recover(&self, vault: &str, kind: ObjectKind, name: &str) -> Result<(), UnknownObject> {
        self.object(vault, kind, name, |object| {
            object.deleted = false;
            Some(())
        })
    }

    /// Removes an object permanently.
    pub fn purge(&self, vault: &str, kind: ObjectKind, name: &str) {
        if let Some(vault) = self.store.write().get_mut(&vault.to_ascii_lowercase()) {
            vault.before_change(self.clock.now());
            vault.objects.remove(&(kind, name.to_ascii_lowercase()));
        }
    }

    /// Returns the vaults' names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.store.read().keys().cloned().collect();
        names.sort();
        names
    }

    fn put_as(&self, vault: &str, kind: ObjectKind, name: &str, id: &str, body: Map<String, Value>) {
        let now = self.clock.unix();
        self.edit(vault, kind, name, |object| {
            let newest = object.current().map_or(i64::MIN, |stored| stored.version.created);
            object.push(kind, ObjectVersion::new(id, now.max(newest.saturating_add(1)), body));
        });
    }

    fn edit(&self, vault: &str, kind: ObjectKind, name: &str, edit: impl FnOnce(&mut Object)) {
        let mut vaults = self.store.write();
        let vault: &mut Vault = vaults.entry(vault.to_ascii_lowercase()).or_default();
        vault.before_change(self.clock.now());
        let object =
            vault.objects.entry((kind, name.to_ascii_lowercase())).or_insert_with(|| Object::new(name));
        object.deleted = false;
        edit(object);
    }

    fn object(
        &self,
        vault: &str,
        kind: ObjectKind,
        name: &str,
        edit: impl FnOnce(&mut Object) -> Option<()>,
    ) -> Result<(), UnknownObject> {
        let mut vaults = self.store.write();
        vaults
            .get_mut(&vault.to_ascii_lowercase())
            .and_then(|vault| {
                vault.before_change(self.clock.now());
                vault.objects.get_mut(&(kind, name.to_ascii_lowercase()))
            })
            .and_then(edit)
            .ok_or_else(|| UnknownObject { kind, name: name.to_owned(), vault: vault.to_owned() })
    }
}

//! The vaults that one mount reads.

use std::sync::Arc;

use crate::{
    cloud::{CloudEnvironment, VaultEndpoint},
    spec::{object::ObjectSpec, vault::VaultName},
    vault::{VaultClient, VaultError},
};

/// The vaults that a mount reads, each once: the class's own first, if any object is in it. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct MountVaults {
    first: Arc<MountVault>,
    others: Arc<[MountVault]>,
}

/// A vault of a mount.
#[derive(Debug)]
pub(super) struct MountVault {
    /// The vault, as [`ObjectSpec::vault`] has it: `None` is the class's own.
    key: Option<VaultName>,
    /// The vault's name.
    pub(super) name: VaultName,
    pub(super) endpoint: VaultEndpoint,
    /// The number of the objects in it.
    pub(super) objects: usize,
}

impl MountVaults {
    /// Returns the vaults of `objects` in `cloud`. `own` is the class's own vault, which is left out if no object is in
    /// it, unless there are no objects at all.
    pub(super) fn of(objects: &[ObjectSpec], own: &VaultName, cloud: &CloudEnvironment) -> Self {
        let vault = |key: Option<&VaultName>| {
            let name = key.unwrap_or(own).clone();
            let objects = objects.iter().filter(|object| object.vault.as_ref() == key).count();
            MountVault { key: key.cloned(), endpoint: cloud.vault(&name), name, objects }
        };
        let mut keys: Vec<Option<&VaultName>> = Vec::new();
        for object in objects {
            let key = object.vault.as_ref();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        // Stable: the others stay in the order of the entries.
        keys.sort_by_key(Option::is_some);
        let (first, others) = match keys.as_slice() {
            [first, others @ ..] => (*first, others),
            [] => (None, &[][..]),
        };
        Self { first: Arc::new(vault(first)), others: others.iter().map(|key| vault(*key)).collect() }
    }

    /// Returns the vault that stands for all of them: the class's own, or else that of the first object.
    pub(super) fn first(&self) -> &MountVault {
        &self.first
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &MountVault> {
        std::iter::once(&*self.first).chain(&*self.others)
    }

    /// Returns the vault of an object of this mount.
    pub(super) fn of_object(&self, object: &ObjectSpec) -> &MountVault {
        self.iter().find(|vault| vault.key == object.vault).unwrap_or(&self.first)
    }
}

/// A client for each vault of a mount.
pub(super) struct VaultClients {
    first: VaultClient,
    others: Vec<(Option<VaultName>, VaultClient)>,
}

impl VaultClients {
    /// Connects to each of `vaults`.
    ///
    /// # Errors
    /// The first vault to which `connect` fails, and the error.
    pub(super) fn connect<'a>(
        vaults: &'a MountVaults,
        connect: impl Fn(&VaultEndpoint) -> Result<VaultClient, VaultError>,
    ) -> Result<Self, (&'a MountVault, VaultError)> {
        let connect = |vault: &'a MountVault| connect(&vault.endpoint).map_err(|error| (vault, error));
        let first = connect(vaults.first())?;
        let others = vaults.others.iter().map(|vault| Ok((vault.key.clone(), connect(vault)?)));
        Ok(Self { first, others: others.collect::<Result<_, _>>()? })
    }

    /// Returns the client for an object's vault.
    pub(super) fn of(&self, object: &ObjectSpec) -> &VaultClient {
        let other = self.others.iter().find(|(key, _)| *key == object.vault);
        other.map_or(&self.first, |(_, client)| client)
    }

    /// Returns whether another mount sent any of the reads so far, and so with another token.
    pub(super) fn shared(&self) -> bool {
        self.first.shared() || self.others.iter().any(|(_, client)| client.shared())
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::{
        absence::IfAbsent,
        cloud::CloudName,
        object::VersionSelector,
        rendering::Rendering,
        shape::{FileShape, Shape},
    };

    use super::*;

    fn key_in(vault: Option<&str>) -> ObjectSpec {
        let path = "a".parse().unwrap();
        ObjectSpec {
            vault: vault.map(|vault| vault.parse().unwrap()),
            name: "a".parse().unwrap(),
            versions: VersionSelector::Newest,
            shape: Shape::File(FileShape {
                rendering: Rendering::Key,
                path,
                mode: None,
                if_absent: IfAbsent::Fail,
            }),
        }
    }

    fn vaults(objects: &[Option<&str>]) -> Vec<(String, usize)> {
        let objects: Vec<ObjectSpec> = objects.iter().map(|vault| key_in(*vault)).collect();
        let cloud = CloudEnvironment::named(CloudName::Public);
        let vaults = MountVaults::of(&objects, &"lab".parse().unwrap(), &cloud);
        for object in &objects {
            let expected = object.vault.as_ref().map_or("lab", VaultName::as_str);
            assert_eq!(vaults.of_object(object).name.as_str(), expected);
        }
        vaults.iter().map(|vault| (vault.endpoint.name().to_owned(), vault.objects)).collect()
    }

    #[test]
    fn each_vault_is_there_once_and_the_own_one_first() {
        for (objects, expected) in [
            (&[None][..], &[("lab", 1)][..]),
            (&[Some("bbb"), None, Some("bbb"), Some("aaa"), None], &[("lab", 2), ("bbb", 2), ("aaa", 1)]),
            (&[Some("bbb"), Some("aaa"), Some("bbb")], &[("bbb", 2), ("aaa", 1)]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, count)| (format!("{name}.vault.azure.net"), *count)).collect();
            assert_eq!(vaults(objects), expected);
        }
    }
}

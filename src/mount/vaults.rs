//! The vaults that one mount reads.

use std::sync::Arc;

use futures::future::join_all;

use crate::{
    cloud::{CloudEnvironment, VaultEndpoint},
    spec::{
        object::{ObjectSpec, VersionSelector},
        vault::VaultName,
    },
    vault::{Read, VaultClient, VaultError},
};

use super::requested::Requested;

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
    /// The number of the objects in it. Those that are to be found count as one.
    pub(super) objects: usize,
}

impl MountVaults {
    /// Returns the vaults of `requested` in `cloud`. `own` is the class's own vault, which is left out if no object is in
    /// it, unless there are no objects at all.
    pub(super) fn of(requested: &Requested, own: &VaultName, cloud: &CloudEnvironment) -> Self {
        let vault = |key: Option<&VaultName>| {
            let name = key.unwrap_or(own).clone();
            let objects = requested.vaults().filter(|vault| *vault == key).count();
            MountVault { key: key.cloned(), endpoint: cloud.vault(&name), name, objects }
        };
        let mut keys: Vec<Option<&VaultName>> = Vec::new();
        for key in requested.vaults() {
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
        self.of_vault(object.vault.as_ref())
    }

    /// Returns the vault of this mount that [`ObjectSpec::vault`] names so.
    pub(super) fn of_vault(&self, key: Option<&VaultName>) -> &MountVault {
        self.iter().find(|vault| vault.key.as_ref() == key).unwrap_or(&self.first)
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

    /// Finds out by lists of the vaults which of the objects' newest versions are unchanged since their last read.
    pub(super) async fn revalidate(&self, objects: &[ObjectSpec]) {
        let newest = |object: &ObjectSpec| match object.versions {
            VersionSelector::Newest | VersionSelector::Chosen(_) => {
                Some(Read { object_type: object.object_type(), name: object.name.clone(), version: None })
            }
            VersionSelector::Pinned(_) | VersionSelector::History { .. } => None,
        };
        let reads = |client| {
            let of_client = objects.iter().filter(|object| std::ptr::eq(self.of(object), client));
            of_client.filter_map(newest).collect()
        };
        let others = self.others.iter().map(|(_, client)| client);
        let clients: Vec<(&VaultClient, Vec<Read>)> =
            std::iter::once(&self.first).chain(others).map(|client| (client, reads(client))).collect();
        join_all(clients.iter().map(|(client, reads)| client.revalidate(reads))).await;
    }

    /// Returns the client for an object's vault.
    pub(super) fn of(&self, object: &ObjectSpec) -> &VaultClient {
        self.of_vault(object.vault.as_ref())
    }

    /// Returns the client for the vault that [`ObjectSpec::vault`] names so.
    pub(super) fn of_vault(&self, vault: Option<&VaultName>) -> &VaultClient {
        let other = self.others.iter().find(|(key, _)| key.as_ref() == vault);
        other.map_or(&self.first, |(_, client)| client)
    }

    /// Returns whether another mount sent any of the reads so far, and so with another token.
    pub(super) fn shared(&self) -> bool {
        self.first.shared() || self.others.iter().any(|(_, client)| client.shared())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::spec::{
        absence::IfAbsent,
        cloud::CloudName,
        object::{Origin, VersionSelector},
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
            origin: Origin::Named,
        }
    }

    fn vaults(objects: &[Option<&str>]) -> Vec<(String, usize)> {
        let objects: Arc<[ObjectSpec]> = objects.iter().map(|vault| key_in(*vault)).collect();
        let cloud = CloudEnvironment::named(CloudName::Public);
        let requested = Requested::of_objects(&objects);
        let vaults = MountVaults::of(&requested, &"lab".parse().unwrap(), &cloud);
        for object in &*objects {
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

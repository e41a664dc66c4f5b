//! A cache of parsed `objects` lists.
//!
//! The pods of one SecretProviderClass have the same list, and the driver mounts each volume again every few minutes.
//! Parsing the list takes most of the CPU time before a mount's first request.

use std::fmt;

use quick_cache::{Weighter, sync::Cache};

use crate::{
    digest, one_shard,
    spec::{object::ObjectSpec, size, vault::VaultName},
};

use super::{error::Problems, objects::Requested};

/// The most that the cache holds, in bytes.
const MAX_CACHE_BYTES: u64 = 512 << 10;

/// The largest list that is kept, in bytes: about two hundred objects.
const MAX_LIST_BYTES: u64 = 64 << 10;

/// The overhead of an entry, in bytes. It limits the number of lists.
const ENTRY_OVERHEAD_BYTES: u64 = 512;

/// A cache of lists that were parsed without a problem. It holds no default, which may be a secret, and no list with
/// `find`, whose expressions keep the memory of their searches.
pub struct ObjectsCache(Cache<Key, Requested, BySize>);

/// A hash of everything that a list depends on: its text and the class's vaults.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key([u8; 32]);

#[derive(Clone)]
struct BySize;

impl ObjectsCache {
    /// Returns an empty cache.
    pub fn new() -> Self {
        let most = usize::try_from(MAX_CACHE_BYTES / ENTRY_OVERHEAD_BYTES).unwrap_or(usize::MAX);
        Self(one_shard::cache(most, MAX_CACHE_BYTES, BySize))
    }

    /// Returns the objects of a list that is in the cache. Otherwise those that `parse` returns. `own` and `failover`
    /// are the class's vaults.
    pub(super) fn get_or_parse(
        &self,
        text: &str,
        (own, failover): (&VaultName, Option<&VaultName>),
        problems: &mut Problems,
        parse: impl FnOnce(&mut Problems) -> Option<Requested>,
    ) -> Option<Requested> {
        let key = Key::of(text, own, failover);
        if let Some(requested) = self.0.get(&key) {
            return Some(requested);
        }
        let before = problems.count();
        let requested = parse(problems)?;
        if problems.count() == before && is_kept(&requested) {
            self.0.insert(key, requested.clone());
        }
        Some(requested)
    }
}

impl Default for ObjectsCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ObjectsCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectsCache").field("lists", &self.0.len()).finish()
    }
}

impl Key {
    fn of(text: &str, own: &VaultName, failover: Option<&VaultName>) -> Self {
        // No vault has an empty name.
        Self(digest::of_parts([text, own.as_str(), failover.map_or("", VaultName::as_str)]))
    }
}

impl Weighter<Key, Requested> for BySize {
    fn weight(&self, _: &Key, requested: &Requested) -> u64 {
        weight(requested)
    }
}

fn is_kept(requested: &Requested) -> bool {
    requested.finds.is_empty()
        && weight(requested) <= MAX_LIST_BYTES
        && !requested.objects.iter().any(ObjectSpec::has_default)
}

fn weight(requested: &Requested) -> u64 {
    ENTRY_OVERHEAD_BYTES + size::of_objects(&requested.objects) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::spec::MountSpec;

    use super::{
        super::{MountTexts, ParametersError, parse, parse_cached},
        *,
    };

    /// Mounts a class of `objects` with these parameters beside it.
    fn mount(
        cache: &ObjectsCache,
        objects: &str,
        more: &[(&str, &str)],
    ) -> Result<MountSpec, ParametersError> {
        let mut attributes = serde_json::json!({
            "csi.storage.k8s.io/pod.name": "web-0", "csi.storage.k8s.io/pod.namespace": "shop",
            "keyvaultName": "lab", "useVMManagedIdentity": "true", "objects": objects,
        });
        for (key, value) in more {
            attributes[key] = (*value).into();
        }
        let attributes = attributes.to_string();
        let texts = MountTexts { attributes: &attributes, secrets: "null", permission: "420" };
        let cached = parse_cached(texts, Some(cache));
        assert_eq!(format!("{cached:?}"), format!("{:?}", parse(texts)), "{more:?}");
        cached
    }

    fn list(names: std::ops::Range<usize>) -> String {
        names.map(|name| format!("- {{objectName: n{name}, objectType: secret}}\n")).collect()
    }

    fn share(one: &MountSpec, other: &MountSpec) -> bool {
        Arc::ptr_eq(&one.objects, &other.objects)
    }

    #[test]
    fn pods_of_one_class_share_its_objects() {
        let cache = ObjectsCache::new();
        let objects = list(0..20);
        let first = mount(&cache, &objects, &[]).unwrap();
        let identity = ("userAssignedIdentityID", "11111111-0000-0000-0000-000000000002");
        let other = [("csi.storage.k8s.io/pod.name", "web-1"), identity];
        assert!(share(&first, &mount(&cache, &objects, &other).unwrap()));
        // An object may name the class's vault, or the one to fail over to.
        let moved = [("keyvaultName", "lab2")];
        assert!(!share(&first, &mount(&cache, &objects, &moved).unwrap()));
        let failing_over = mount(&cache, &objects, &[("failoverVault", "lab2")]).unwrap();
        assert!(!share(&first, &failing_over));
        let joined = mount(&cache, &objects, &[("keyvaultName", "lablab2")]).unwrap();
        assert!(!share(&failing_over, &joined));
    }

    #[test]
    fn a_list_beside_a_mistake_is_kept_and_one_with_a_mistake_is_not() {
        let cache = ObjectsCache::new();
        mount(&cache, "- {objectName: a, objectType: secrets}\n", &[]).unwrap_err();
        assert!(cache.0.is_empty());
        mount(&cache, &list(0..1), &[("cloudName", "nowhere")]).unwrap_err();
        assert_eq!(cache.0.len(), 1);
        mount(&cache, &list(0..1), &[("cloudName", "nowhere")]).unwrap_err();
        mount(&cache, &list(0..1), &[]).unwrap();
    }

    #[test]
    fn defaults_and_expressions_are_not_kept() {
        let cache = ObjectsCache::new();
        for objects in [
            "- {objectName: a, objectType: secret, optional: true, default: canary}\n",
            "- {objectName: a, objectType: secret, jmesPath: [{path: k, objectAlias: k, default: canary}]}\n",
            "- objectAlias: a\n  combine: {format: dotenv, items: [{key: K, objectName: b, default: canary}]}\n",
            "- {objectType: secret, find: {name: 'a*'}}\n",
        ] {
            mount(&cache, objects, &[]).unwrap();
            assert!(cache.0.is_empty(), "{objects}");
        }
    }

    #[test]
    fn lists_are_kept_within_half_a_mebibyte_and_large_ones_are_not() {
        let cache = ObjectsCache::new();
        let large = mount(&cache, &list(0..400), &[]).unwrap();
        assert!(large.estimated_bytes() > 64 << 10, "{}", large.estimated_bytes());
        assert!(cache.0.is_empty());
        for class in 0..300 {
            let spec = mount(&cache, &list(class..class + 40), &[]).unwrap();
            assert!(spec.estimated_bytes() > 4 << 10, "{}", spec.estimated_bytes());
        }
        let kept = cache.0.weight();
        assert!((256 << 10..=MAX_CACHE_BYTES).contains(&kept), "{kept}");
    }
}

//! Remembers the volumes that this process has served.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::sync::Cache;

use crate::{one_shard, spec::pod::PodRef};

/// Remembered volumes: several for each pod that a node can run.
const MAX_VOLUMES: usize = 4_096;

/// A set of the volumes that this process has served. Clones share it.
///
/// It decides freshness alone. A starting pod gets what the vault holds now, and a republish may get a cached value. It
/// must not decide access, since a pod's UID can be forged where the driver does not set it.
#[derive(Clone)]
pub(super) struct ServedVolumes(Arc<Cache<VolumeRef, ()>>);

/// A reference to a pod's volume: a hash of the pod's UID and the volume's target path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct VolumeRef([u8; 16]);

impl VolumeRef {
    /// Returns the volume of `pod` at `target_path`. `None` means that the pod has no UID, so each of its mounts counts
    /// as initial.
    pub(super) fn new(pod: &PodRef, target_path: &str) -> Option<Self> {
        let uid = pod.uid.as_ref()?;
        let hash = digest(&SHA256, format!("{}:{uid}{target_path}", uid.len()).as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_ref()[..16]);
        Some(Self(key))
    }
}

impl ServedVolumes {
    pub(super) fn new() -> Self {
        Self(Arc::new(one_shard::of_items(MAX_VOLUMES)))
    }

    pub(super) fn contains(&self, volume: VolumeRef) -> bool {
        self.0.get(&volume).is_some()
    }

    pub(super) fn add(&self, volume: VolumeRef) {
        self.0.insert(volume, ());
    }
}

impl std::fmt::Debug for ServedVolumes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServedVolumes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(uid: &str, path: &str) -> VolumeRef {
        let pod = PodRef { namespace: "n".to_owned(), name: "p".to_owned(), uid: Some(uid.to_owned()) };
        VolumeRef::new(&pod, path).unwrap()
    }

    #[test]
    fn a_volume_is_a_pods_uid_and_a_path() {
        let served = ServedVolumes::new();
        served.add(volume("uid", "/a"));
        assert!(served.contains(volume("uid", "/a")));
        for other in [volume("uid", "/b"), volume("uid2", "/a"), volume("uid/", "a"), volume("", "uid/a")] {
            assert!(!served.contains(other));
        }
        let nameless = PodRef { namespace: "n".to_owned(), name: "p".to_owned(), uid: None };
        assert_eq!(VolumeRef::new(&nameless, "/a"), None);
    }

    #[test]
    fn the_number_of_remembered_volumes_is_bounded() {
        let served = ServedVolumes::new();
        for path in 0..20_000 {
            served.add(volume("uid", &path.to_string()));
        }
        assert!(served.0.len() <= MAX_VOLUMES, "{}", served.0.len());
    }
}

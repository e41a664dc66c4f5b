//! One node: its volumes and its cache.

use std::{sync::Arc, time::Duration};

use akv_provider::{
    spec::{mount_kind::MountKind, object::ObjectType},
    vault::{CacheSettings, MemorySize, Read, TtlCache},
};
use fastrand::Rng;
use tokio::time::Instant;

/// The load of a node.
pub(crate) struct Load {
    pub(crate) pods: usize,
    pub(crate) identities: usize,
    pub(crate) objects: usize,
    pub(crate) rotation: Duration,
    pub(crate) watched: Duration,
}

struct Value;

impl MemorySize for Value {
    fn bytes(&self) -> usize {
        // The size of a typical secret.
        64
    }
}

/// Returns the number of reads of the vault by the node's volumes during the watched time.
pub(crate) fn node(load: &Load, settings: CacheSettings, seed: u64) -> u64 {
    let mut random = Rng::with_seed(seed);
    let memory = TtlCache::new();
    let reads: Vec<Read> = (0..load.objects).map(read).collect();
    let begin = Instant::now();
    let max_age = settings.max_age(MountKind::Republish);

    let rounds = load.watched.as_nanos() / load.rotation.as_nanos() + 1;
    let mut republishes: Vec<(Instant, usize)> = (0..load.pods)
        .flat_map(|pod| {
            let phase = load.rotation.mul_f64(random.f64());
            (0..u32::try_from(rounds).unwrap_or(u32::MAX))
                .map(move |round| (begin + load.rotation * round + phase, pod))
        })
        .collect();
    republishes.sort();

    let mut asked = 0;
    for (now, pod) in republishes {
        let identity = pod % load.identities;
        for read in &reads {
            let key = (identity, read.clone());
            let max_age = max_age.of(read);
            if memory.get(&key, max_age, now).is_none() {
                memory.insert(key, Arc::new(Value), now, max_age);
                // The first round consists of initial mounts, which are not counted.
                asked += u64::from(now >= begin + load.rotation);
            }
        }
        memory.evict_expired(now);
    }
    asked
}

fn read(number: usize) -> Read {
    let name = format!("secret-{number}").parse().unwrap_or_else(|error| panic!("{error}"));
    Read { object_type: ObjectType::Secret, name, version: None }
}

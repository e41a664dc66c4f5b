//! One node: its volumes and its cache.

use std::{sync::Arc, time::Duration};

use akv_provider::{
    spec::{mount_kind::MountKind, object::ObjectType, principal::Principal},
    vault::{
        Attributes, CacheSettings, Decision, Extent, KnownLists, LastRead, Lifecycle, List, Lists,
        MemorySize, ObjectList, Properties, Read, RepublishCheck, TtlCache, page_budget, turn,
    },
};
use azure_core::time::OffsetDateTime;
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

struct Listed;

impl MemorySize for Listed {
    fn bytes(&self) -> usize {
        0
    }
}

/// A node, and the vault of its volumes.
struct Node {
    settings: CacheSettings,
    /// The pages of the vault's list.
    pages: usize,
    /// What a read and a list say of each object.
    attributes: Attributes,
    values: TtlCache<(usize, Read), Value>,
    lists: TtlCache<(usize, List), Listed>,
    known: KnownLists,
}

/// Returns the number of requests to the vault, which has `secrets` secrets, by the node's volumes during the watched
/// time.
pub(crate) fn node(load: &Load, settings: CacheSettings, secrets: usize, seed: u64) -> u64 {
    let mut random = Rng::with_seed(seed);
    let reads: Vec<Read> = (0..load.objects).map(read).collect();
    let begin = Instant::now();

    let rounds = load.watched.as_nanos() / load.rotation.as_nanos() + 1;
    let mut republishes: Vec<(Instant, usize)> = (0..load.pods)
        .flat_map(|pod| {
            let phase = load.rotation.mul_f64(random.f64());
            (0..u32::try_from(rounds).unwrap_or(u32::MAX))
                .map(move |round| (begin + load.rotation * round + phase, pod))
        })
        .collect();
    republishes.sort();

    let node = Node::new(settings, secrets);
    let mut asked = 0;
    for (now, pod) in republishes {
        let requests = node.republish(pod % load.identities, &reads, now);
        // The first round consists of initial mounts, which are not counted.
        if now >= begin + load.rotation {
            asked += requests;
        }
    }
    asked
}

impl Node {
    fn new(settings: CacheSettings, secrets: usize) -> Self {
        let long_ago = Some(OffsetDateTime::UNIX_EPOCH);
        let lifecycle = Lifecycle { created: long_ago, updated: long_ago, ..Lifecycle::default() };
        let properties = Properties { lifecycle, ..Properties::default() };
        Self {
            settings,
            pages: secrets.div_ceil(25),
            attributes: Attributes::of(ObjectType::Secret, &properties),
            values: TtlCache::new(),
            lists: TtlCache::new(),
            known: KnownLists::new(),
        }
    }

    /// Republishes a volume with these objects, and returns the number of requests.
    fn republish(&self, identity: usize, reads: &[Read], now: Instant) -> u64 {
        let max_age = self.settings.max_age(MountKind::Republish);
        let is_old = |read: &&Read| {
            let key = (identity, (*read).clone());
            self.values.get_confirmed(&key, max_age.of(read), now).is_none()
        };
        let mut old: Vec<&Read> = reads.iter().filter(is_old).collect();
        let mut requests = 0;
        if self.settings.republish_check == RepublishCheck::List && !old.is_empty() {
            requests += self.revalidate(identity, &mut old, now);
        }
        for read in old {
            let key = (identity, read.clone());
            self.values.insert(key, Arc::new(Value), now, self.settings.keep(read));
            requests += 1;
        }
        requests
    }

    /// Removes the objects whose values stand from `old`, but for the one that is read in turn, and returns the number of
    /// pages.
    fn revalidate(&self, identity: usize, old: &mut Vec<&Read>, now: Instant) -> u64 {
        let last = |read: &&Read| {
            let (_, asked) = self.values.last(&(identity, (*read).clone()))?;
            let answered = Some(OffsetDateTime::now_utc());
            Some(LastRead { asked, answered, attributes: self.attributes.clone() })
        };
        let mut standing: Vec<(&Read, LastRead)> =
            old.iter().filter_map(|read| Some((*read, last(read)?))).collect();
        standing.retain(|(_, last)| last.can_stand(now));
        let principal = Principal::new("https://login.microsoftonline.com/", "t", &identity.to_string());
        let lists = Lists { vault: "lab".into(), principal, object_type: ObjectType::Secret };
        let Some(list) = self.known.plan(&lists, page_budget(standing.len()), now) else { return 0 };
        let (pages, extent) = if self.pages <= list.max_pages {
            (self.pages, Extent::Whole)
        } else {
            (list.max_pages, Extent::Beginning)
        };
        let max_age = self.settings.max_age(MountKind::Republish).of(&read(0));
        let (asked, requests) = match self.lists.last(&(identity, list)) {
            Some((_, asked)) if now - asked < max_age => (asked, 0),
            _ => (now, pages as u64),
        };
        self.lists.insert((identity, list), Arc::new(Listed), asked, max_age);
        self.known.record(&lists, list, Ok(&ObjectList { objects: Vec::new(), pages, extent, asked }), now);
        if extent == Extent::Beginning {
            return requests;
        }
        standing.retain(|(_, last)| last.decide(Some(&self.attributes), now) == Decision::Stands);
        if let Some(turn) = turn(standing.iter().map(|(_, last)| last)) {
            standing.swap_remove(turn);
        }
        for (read, last) in standing {
            self.values.confirm(&(identity, read.clone()), last.asked, asked);
            old.retain(|other| *other != read);
        }
        requests
    }
}

fn read(number: usize) -> Read {
    let name = format!("secret-{number}").parse().unwrap_or_else(|error| panic!("{error}"));
    Read { object_type: ObjectType::Secret, name, version: None }
}

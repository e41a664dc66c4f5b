//! Decides which mounts run: a value without clock or I/O.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
};

use crate::spec::{mount_kind::MountKind, vault::VaultStanding};

/// Mounts that run at once. A mount that reads twenty small objects uses 0.3 MiB, and at worst a few times the driver's
/// limit for one answer. A waiting mount uses a fifteenth of the 0.3 MiB (docs/limits.md).
pub(super) const MAX_MOUNTS: usize = 130;

/// Mounts that run at once of all vaults that accepted no token yet. A pod author can name any number of vaults.
pub(super) const MAX_MOUNTS_OF_UNAUTHENTICATED: usize = 25;

/// The last permits, which only vaults that have none get.
const RESERVED: usize = 10;

/// The last permits of vaults that accepted no token yet, which only those that have none get.
const RESERVED_OF_UNAUTHENTICATED: usize = 2;

/// The very last permits, which only namespaces that have [`FEW`] get. Otherwise one namespace that names enough vaults
/// which hang could take all. Of vaults that accepted no token yet they are the reserved ones.
const LAST: usize = 3;

/// The last permits of a vault, which only namespaces that have [`FEW`] of it get. A pod author can name a vault without
/// any right on it, and such mounts hold its permits until they are refused.
const RESERVED_FOR_NAMESPACES: usize = 10;

/// A namespace with fewer permits than this, of a vault or of all, has few.
const FEW: usize = 5;

const STANDINGS: [VaultStanding; 2] = [VaultStanding::Authenticated, VaultStanding::Unauthenticated];

/// The number of a mount in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// The mounts that run, and the queues of those that wait.
///
/// A vault may hold as many permits as are free: a dynamic threshold, as switches share a buffer among ports
/// (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998). One vault gets
/// about half of all permits, a second one half of the rest, and a third one still finds some free. The last ones are for
/// vaults that have none, so that several that hang leave one to each further vault. The very last ones, and the last ones
/// of a vault, are for namespaces that have few.
///
/// Mounts of the same vaults and namespace have a queue together. One of several vaults counts for each of them. Of the
/// mounts that may run, that of the namespace with the fewest permits of vaults of this standing goes first, and of
/// several the oldest.
#[derive(Default)]
pub(super) struct Permits {
    queues: HashMap<Arc<QueueKey>, Queue>,
    vaults: HashMap<Arc<str>, Running>,
    /// The number of each namespace's running mounts, by the standing of their vaults.
    namespaces: [HashMap<Arc<str>, usize>; 2],
    /// The oldest waiting mount of each queue and kind, by the standing of its vaults. So a search meets each queue at
    /// most twice.
    heads: [BTreeMap<Ticket, (Arc<QueueKey>, MountKind)>; 2],
    /// The running mounts, by the standing of their vaults.
    running: [usize; 2],
    next: u64,
}

/// What the mounts of a queue have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct QueueKey {
    /// The hosts of the vaults, each once, in order.
    vaults: Vec<Arc<str>>,
    /// The pods' namespace.
    namespace: Arc<str>,
}

/// The running mounts of a vault.
#[derive(Default)]
struct Running {
    by_kind: [usize; 2],
    by_namespace: HashMap<Arc<str>, usize>,
}

/// The mounts of one key.
struct Queue {
    standing: VaultStanding,
    /// By [`MountKind`].
    running: [usize; 2],
    /// By [`MountKind`], the oldest first.
    waiting: [VecDeque<Ticket>; 2],
}

impl Permits {
    /// Adds a mount to the queue of its vaults and namespace.
    pub(super) fn enter(&mut self, key: &Arc<QueueKey>, kind: MountKind, standing: VaultStanding) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.update(key, standing);
        let queue = self.queues.entry(key.clone()).or_insert_with(|| Queue::new(standing));
        let waiting = &mut queue.waiting[kind as usize];
        waiting.push_back(ticket);
        if waiting.len() == 1 {
            self.heads[standing as usize].insert(ticket, (key.clone(), kind));
        }
        ticket
    }

    /// Removes a mount: its permit becomes free, or its place in the queue.
    pub(super) fn leave(
        &mut self,
        key: &Arc<QueueKey>,
        kind: MountKind,
        ticket: Ticket,
        standing: VaultStanding,
    ) {
        self.update(key, standing);
        let Some(queue) = self.queues.get_mut(key) else { return };
        let waiting = &mut queue.waiting[kind as usize];
        match waiting.binary_search(&ticket) {
            Ok(place) => {
                waiting.remove(place);
                if place == 0 {
                    let next = waiting.front().copied();
                    let heads = &mut self.heads[standing as usize];
                    heads.remove(&ticket);
                    next.into_iter().for_each(|next| drop(heads.insert(next, (key.clone(), kind))));
                }
            }
            Err(_) => {
                queue.running[kind as usize] -= 1;
                self.running[standing as usize] -= 1;
                decrement(&mut self.namespaces[standing as usize], &key.namespace, 1);
                for vault in &key.vaults {
                    let Some(running) = self.vaults.get_mut(vault) else { continue };
                    running.remove(&key.namespace, kind);
                    if running.by_namespace.is_empty() {
                        self.vaults.remove(vault);
                    }
                }
            }
        }
        if queue.is_idle() {
            self.queues.remove(key);
        }
    }

    /// Returns the mount that starts now, if one may: of those of whose vaults none has reached its threshold, the oldest
    /// of the namespace that has the fewest permits.
    pub(super) fn start(&mut self) -> Option<Ticket> {
        let startable = |standing| {
            if self.free(standing) == 0 {
                return None;
            }
            let heads = self.heads[standing as usize].iter();
            let startable = heads.filter(|(_, (key, kind))| self.may_start(key, *kind));
            let found = startable
                .map(|(ticket, (key, kind))| (self.held(key, standing), *ticket, standing, key, *kind));
            found.min_by_key(|(held, ticket, ..)| (*held, *ticket))
        };
        let [one, other] = STANDINGS.map(startable);
        let found = one.into_iter().chain(other).min_by_key(|(held, ticket, ..)| (*held, *ticket));
        let (_, ticket, standing, key, kind) = found?;
        let key = key.clone();
        let queue = self.queues.get_mut(&key)?;
        queue.running[kind as usize] += 1;
        queue.waiting[kind as usize].pop_front();
        let next = queue.waiting[kind as usize].front().copied();
        for vault in &key.vaults {
            self.vaults.entry(vault.clone()).or_default().add(&key.namespace, kind);
        }
        self.running[standing as usize] += 1;
        *self.namespaces[standing as usize].entry(key.namespace.clone()).or_default() += 1;
        let heads = &mut self.heads[standing as usize];
        heads.remove(&ticket);
        if let Some(next) = next {
            heads.insert(next, (key, kind));
        }
        Some(ticket)
    }

    /// Returns whether one more mount of a queue may run.
    fn may_start(&self, key: &QueueKey, kind: MountKind) -> bool {
        let Some(queue) = self.queues.get(key) else { return false };
        let (free, reserved) = (self.free(queue.standing), reserved(queue.standing));
        let held: usize = STANDINGS.map(|standing| self.held(key, standing)).iter().sum();
        let last = if held < FEW { 0 } else { LAST.min(reserved) };
        key.vaults.iter().all(|vault| {
            let Some(running) = self.vaults.get(vault) else { return free > last };
            let for_others = match queue.standing {
                VaultStanding::Authenticated if running.of(&key.namespace) >= FEW => RESERVED_FOR_NAMESPACES,
                // All of these vaults have few permits as it is.
                VaultStanding::Authenticated | VaultStanding::Unauthenticated => 0,
            };
            is_below_threshold(running.by_kind, kind, free, reserved, for_others)
        })
    }

    /// Returns the number of permits that the namespace of a queue holds, of all vaults of this standing.
    fn held(&self, key: &QueueKey, standing: VaultStanding) -> usize {
        self.namespaces[standing as usize].get(&key.namespace).copied().unwrap_or_default()
    }

    /// Returns whether no mount runs or waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let running = self.running.iter().sum::<usize>();
        self.queues.is_empty()
            && self.vaults.is_empty()
            && self.namespaces.iter().all(HashMap::is_empty)
            && running == 0
            && self.heads.iter().all(BTreeMap::is_empty)
    }

    /// Returns the number of permits that vaults of this standing may still get.
    fn free(&self, standing: VaultStanding) -> usize {
        let free = MAX_MOUNTS - self.running.iter().sum::<usize>();
        match standing {
            VaultStanding::Authenticated => free,
            VaultStanding::Unauthenticated => {
                let running = self.running[standing as usize];
                // All of them together hold at most as many as are free, like one vault. Otherwise each new name would
                // take one of the last.
                if running < free {
                    free.min(MAX_MOUNTS_OF_UNAUTHENTICATED.saturating_sub(running))
                } else {
                    0
                }
            }
        }
    }

    /// Moves the mounts of all queues whose vaults' standing has changed.
    pub(super) fn update_all(&mut self, standing: impl Fn(&QueueKey) -> VaultStanding) {
        let keys: Vec<_> = self.queues.keys().cloned().collect();
        for key in keys {
            self.update(&key, standing(&key));
        }
    }

    /// Moves the mounts of a queue whose vaults' standing has changed.
    fn update(&mut self, key: &QueueKey, standing: VaultStanding) {
        let Some(queue) = self.queues.get_mut(key).filter(|queue| queue.standing != standing) else {
            return;
        };
        let before = std::mem::replace(&mut queue.standing, standing);
        let running: usize = queue.running.iter().sum();
        self.running[before as usize] -= running;
        self.running[standing as usize] += running;
        if running > 0 {
            decrement(&mut self.namespaces[before as usize], &key.namespace, running);
            *self.namespaces[standing as usize].entry(key.namespace.clone()).or_default() += running;
        }
        for head in queue.waiting.iter().filter_map(|queue| queue.front()) {
            let moved = self.heads[before as usize].remove(head);
            self.heads[standing as usize].extend(moved.map(|moved| (*head, moved)));
        }
    }
}

/// Returns how many permits are left to vaults of this standing that have none.
fn reserved(standing: VaultStanding) -> usize {
    match standing {
        VaultStanding::Authenticated => RESERVED,
        VaultStanding::Unauthenticated => RESERVED_OF_UNAUTHENTICATED,
    }
}

/// Returns whether one more mount of a vault may run if `free` permits are free, of which `reserved` are for other vaults,
/// and `for_others` of the vault's for other namespaces.
fn is_below_threshold(
    running: [usize; 2],
    kind: MountKind,
    free: usize,
    reserved: usize,
    for_others: usize,
) -> bool {
    let all: usize = running.iter().sum();
    // The number of permits at which the vault would have as many as are free to it.
    let threshold = (all + free).saturating_sub(reserved).div_ceil(2).saturating_sub(for_others);
    // A starting pod gets a permit while republishes wait for a vault that throttles.
    let for_republishes = threshold.div_ceil(2);
    free > reserved
        && all < threshold
        && (kind == MountKind::Initial || running[MountKind::Republish as usize] < for_republishes)
}

impl QueueKey {
    /// Returns the key of mounts from the vaults at these hosts, for pods of a namespace.
    pub(super) fn new<'a>(hosts: impl Iterator<Item = &'a str>, namespace: &str) -> Self {
        let mut vaults: Vec<Arc<str>> = hosts.map(Arc::from).collect();
        vaults.sort_unstable();
        vaults.dedup();
        Self { vaults, namespace: namespace.into() }
    }

    pub(super) fn vaults(&self) -> impl Iterator<Item = &str> {
        self.vaults.iter().map(|vault| &**vault)
    }
}

impl Running {
    fn of(&self, namespace: &str) -> usize {
        self.by_namespace.get(namespace).copied().unwrap_or_default()
    }

    fn add(&mut self, namespace: &Arc<str>, kind: MountKind) {
        self.by_kind[kind as usize] += 1;
        *self.by_namespace.entry(namespace.clone()).or_default() += 1;
    }

    fn remove(&mut self, namespace: &Arc<str>, kind: MountKind) {
        self.by_kind[kind as usize] -= 1;
        decrement(&mut self.by_namespace, namespace, 1);
    }
}

/// Lowers the number of a namespace's running mounts. A namespace without any has no entry.
fn decrement(running: &mut HashMap<Arc<str>, usize>, namespace: &Arc<str>, ended: usize) {
    if let Entry::Occupied(mut running) = running.entry(namespace.clone()) {
        *running.get_mut() -= ended;
        if *running.get() == 0 {
            running.remove();
        }
    }
}

impl Queue {
    fn new(standing: VaultStanding) -> Self {
        Self { standing, running: [0; 2], waiting: Default::default() }
    }

    fn is_idle(&self) -> bool {
        self.running == [0; 2] && self.waiting.iter().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests;

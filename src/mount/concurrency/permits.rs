//! Decides which mounts run: a value without clock or I/O.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::spec::{mount_kind::MountKind, vault::VaultStanding};

/// Mounts that run at once. A mount that reads twenty small objects uses 0.3 MiB, and at worst a few times the driver's
/// limit for one answer. A waiting mount uses a fifteenth of the 0.3 MiB (docs/limits.md).
pub(super) const MAX_MOUNTS: usize = 110;

/// Mounts that run at once of all vaults that accepted no token yet. A pod author can name any number of vaults.
pub(super) const MAX_MOUNTS_OF_UNAUTHENTICATED: usize = 25;

/// The last permits, which only vaults that have none get.
const RESERVED: usize = 10;

/// The last permits of vaults that accepted no token yet, which only those that have none get.
const RESERVED_OF_UNAUTHENTICATED: usize = 2;

/// Between the hosts of a mount's vaults; no host has it.
pub(super) const SEPARATOR: &str = " ";

/// The number of a mount in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// The mounts that run, and the queues of those that wait.
///
/// A vault may hold as many permits as are free: a dynamic threshold, as switches share a buffer among ports
/// (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998). One vault gets
/// about half of all permits, a second one half of the rest, and a third one still finds some free. The last ones are for
/// vaults that have none, so that several that hang leave one to each further vault.
///
/// Mounts of the same vaults have a queue together. One of several vaults counts for each of them.
#[derive(Default)]
pub(super) struct Permits {
    queues: HashMap<Arc<str>, Queue>,
    /// The running mounts of each vault, by [`MountKind`].
    vaults: HashMap<Arc<str>, [usize; 2]>,
    /// The oldest waiting mount of each queue and kind, by the standing of its vaults. So a search meets each queue at
    /// most twice.
    heads: [BTreeMap<Ticket, (Arc<str>, MountKind)>; 2],
    /// The running mounts, by the standing of their vaults.
    running: [usize; 2],
    next: u64,
}

/// The mounts from the same vaults.
struct Queue {
    vaults: Vec<Arc<str>>,
    standing: VaultStanding,
    /// By [`MountKind`].
    running: [usize; 2],
    /// By [`MountKind`], the oldest first.
    waiting: [VecDeque<Ticket>; 2],
}

impl Permits {
    /// Adds a mount to the queue of its vaults, whose names are separated by [`SEPARATOR`].
    pub(super) fn enter(&mut self, vaults: &Arc<str>, kind: MountKind, standing: VaultStanding) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.update(vaults, standing);
        let queue = self.queues.entry(vaults.clone()).or_insert_with(|| Queue::new(vaults, standing));
        let waiting = &mut queue.waiting[kind as usize];
        waiting.push_back(ticket);
        if waiting.len() == 1 {
            self.heads[standing as usize].insert(ticket, (vaults.clone(), kind));
        }
        ticket
    }

    /// Removes a mount: its permit becomes free, or its place in the queue.
    pub(super) fn leave(
        &mut self,
        vaults: &Arc<str>,
        kind: MountKind,
        ticket: Ticket,
        standing: VaultStanding,
    ) {
        self.update(vaults, standing);
        let Some(queue) = self.queues.get_mut(vaults) else { return };
        let waiting = &mut queue.waiting[kind as usize];
        match waiting.binary_search(&ticket) {
            Ok(place) => {
                waiting.remove(place);
                if place == 0 {
                    let next = waiting.front().copied();
                    let heads = &mut self.heads[standing as usize];
                    heads.remove(&ticket);
                    next.into_iter().for_each(|next| drop(heads.insert(next, (vaults.clone(), kind))));
                }
            }
            Err(_) => {
                queue.running[kind as usize] -= 1;
                self.running[standing as usize] -= 1;
                for vault in &queue.vaults {
                    let Some(running) = self.vaults.get_mut(vault) else { continue };
                    running[kind as usize] -= 1;
                    if *running == [0; 2] {
                        self.vaults.remove(vault);
                    }
                }
            }
        }
        if queue.is_idle() {
            self.queues.remove(vaults);
        }
    }

    /// Returns the mount that starts now, if one may: the oldest one of whose vaults none has reached its threshold.
    pub(super) fn start(&mut self) -> Option<Ticket> {
        let startable = |standing| {
            if self.free(standing) == 0 {
                return None;
            }
            let mut heads = self.heads[standing as usize].iter();
            let (ticket, (vaults, kind)) = heads.find(|(_, (vaults, kind))| self.may_start(vaults, *kind))?;
            Some((*ticket, standing, vaults.clone(), *kind))
        };
        let [one, other] = [VaultStanding::Authenticated, VaultStanding::Unauthenticated].map(startable);
        let (ticket, standing, vaults, kind) = one.into_iter().chain(other).min_by_key(|found| found.0)?;
        let queue = self.queues.get_mut(&vaults)?;
        queue.running[kind as usize] += 1;
        queue.waiting[kind as usize].pop_front();
        let next = queue.waiting[kind as usize].front().copied();
        for vault in &queue.vaults {
            self.vaults.entry(vault.clone()).or_default()[kind as usize] += 1;
        }
        self.running[standing as usize] += 1;
        let heads = &mut self.heads[standing as usize];
        heads.remove(&ticket);
        next.into_iter().for_each(|next| drop(heads.insert(next, (vaults.clone(), kind))));
        Some(ticket)
    }

    /// Returns whether one more mount of a queue may run.
    fn may_start(&self, vaults: &Arc<str>, kind: MountKind) -> bool {
        let Some(queue) = self.queues.get(vaults) else { return false };
        let (free, reserved) = (self.free(queue.standing), reserved(queue.standing));
        let of_vault = |vault| self.vaults.get(vault).copied().unwrap_or_default();
        queue.vaults.iter().all(|vault| is_below_threshold(of_vault(vault), kind, free, reserved))
    }

    /// Returns whether no mount runs or waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let running = self.running.iter().sum::<usize>();
        self.queues.is_empty()
            && self.vaults.is_empty()
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

    /// Moves the mounts of a queue whose vaults' standing has changed.
    fn update(&mut self, vaults: &Arc<str>, standing: VaultStanding) {
        let Some(queue) = self.queues.get_mut(vaults).filter(|queue| queue.standing != standing) else {
            return;
        };
        let before = std::mem::replace(&mut queue.standing, standing);
        let running: usize = queue.running.iter().sum();
        self.running[before as usize] -= running;
        self.running[standing as usize] += running;
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

/// Returns whether one more mount of a vault may run if `free` permits are free.
fn is_below_threshold(running: [usize; 2], kind: MountKind, free: usize, reserved: usize) -> bool {
    let all: usize = running.iter().sum();
    if all == 0 {
        return free > 0;
    }
    // The number of permits at which the vault would have as many as are free to it.
    let threshold = (all + free).saturating_sub(reserved).div_ceil(2);
    // A starting pod gets a permit while republishes wait for a vault that throttles.
    let for_republishes = threshold.div_ceil(2);
    free > reserved
        && all < threshold
        && (kind == MountKind::Initial || running[MountKind::Republish as usize] < for_republishes)
}

impl Queue {
    fn new(vaults: &str, standing: VaultStanding) -> Self {
        let vaults = vaults.split(SEPARATOR).map(Arc::from).collect();
        Self { vaults, standing, running: [0; 2], waiting: Default::default() }
    }

    fn is_idle(&self) -> bool {
        self.running == [0; 2] && self.waiting.iter().all(VecDeque::is_empty)
    }
}

#[cfg(test)]
mod tests;

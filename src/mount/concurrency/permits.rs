//! Decides which mounts run: a value without clock or I/O.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::spec::{mount_kind::MountKind, vault::VaultStanding};

/// Mounts that run at once. A mount that reads twenty small objects uses 0.3 MiB, and at worst a few times the driver's
/// limit for one answer. A waiting mount uses a fifteenth of the 0.3 MiB (docs/limits.md).
pub(super) const MAX_MOUNTS: usize = 100;

/// Mounts that run at once of all vaults that accepted no token yet. A pod author can name any number of vaults.
pub(super) const MAX_MOUNTS_OF_UNAUTHENTICATED: usize = MAX_MOUNTS / 4;

/// The number of a mount in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(u64);

/// The mounts that run, and the queues of those that wait.
///
/// A vault may hold as many permits as are free: a dynamic threshold, as switches share a buffer among ports
/// (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998). One vault gets
/// half of all permits, a second one half of the rest, and a third one still finds some free.
#[derive(Default)]
pub(super) struct Permits {
    vaults: HashMap<Arc<str>, OfVault>,
    /// The oldest waiting mount of each vault and kind, by the vault's standing. So a search meets each vault at most
    /// twice.
    heads: [BTreeMap<Ticket, (Arc<str>, MountKind)>; 2],
    /// The running mounts, by the vault's standing.
    running: [usize; 2],
    next: u64,
}

struct OfVault {
    standing: VaultStanding,
    /// By [`MountKind`].
    running: [usize; 2],
    /// By [`MountKind`], the oldest first.
    waiting: [VecDeque<Ticket>; 2],
}

impl Permits {
    /// Adds a mount to the queue of its vault.
    pub(super) fn enter(&mut self, vault: &Arc<str>, kind: MountKind, standing: VaultStanding) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.update(vault, standing);
        let of_vault = self.vaults.entry(vault.clone()).or_insert_with(|| OfVault::new(standing));
        let queue = &mut of_vault.waiting[kind as usize];
        queue.push_back(ticket);
        if queue.len() == 1 {
            self.heads[standing as usize].insert(ticket, (vault.clone(), kind));
        }
        ticket
    }

    /// Removes a mount: its permit becomes free, or its place in the queue.
    pub(super) fn leave(
        &mut self,
        vault: &Arc<str>,
        kind: MountKind,
        ticket: Ticket,
        standing: VaultStanding,
    ) {
        self.update(vault, standing);
        let Some(of_vault) = self.vaults.get_mut(vault) else { return };
        let queue = &mut of_vault.waiting[kind as usize];
        match queue.binary_search(&ticket) {
            Ok(place) => {
                queue.remove(place);
                if place == 0 {
                    let next = queue.front().copied();
                    let heads = &mut self.heads[standing as usize];
                    heads.remove(&ticket);
                    next.into_iter().for_each(|next| drop(heads.insert(next, (vault.clone(), kind))));
                }
            }
            Err(_) => {
                of_vault.running[kind as usize] -= 1;
                self.running[standing as usize] -= 1;
            }
        }
        if of_vault.is_idle() {
            self.vaults.remove(vault);
        }
    }

    /// Returns the mount that starts now, if one may: the oldest one whose vault has not reached its threshold.
    pub(super) fn start(&mut self) -> Option<Ticket> {
        let startable = |standing| {
            let free = self.free(standing);
            let heads = self.heads[standing as usize].iter().filter(|_| free > 0);
            heads.map(|(ticket, (vault, kind))| (*ticket, standing, vault.clone(), *kind)).find(
                |(_, _, vault, kind)| self.vaults.get(vault).is_some_and(|of| of.may_start(*kind, free)),
            )
        };
        let [one, other] = [VaultStanding::Authenticated, VaultStanding::Unauthenticated].map(startable);
        let (ticket, standing, vault, kind) = one.into_iter().chain(other).min_by_key(|found| found.0)?;
        let of_vault = self.vaults.get_mut(&vault)?;
        of_vault.running[kind as usize] += 1;
        of_vault.waiting[kind as usize].pop_front();
        let next = of_vault.waiting[kind as usize].front().copied();
        self.running[standing as usize] += 1;
        let heads = &mut self.heads[standing as usize];
        heads.remove(&ticket);
        next.into_iter().for_each(|next| drop(heads.insert(next, (vault.clone(), kind))));
        Some(ticket)
    }

    /// Returns whether no mount runs or waits.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let running = self.running.iter().sum::<usize>();
        self.vaults.is_empty() && running == 0 && self.heads.iter().all(BTreeMap::is_empty)
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

    /// Moves the mounts of a vault whose standing has changed.
    fn update(&mut self, vault: &Arc<str>, standing: VaultStanding) {
        let Some(of_vault) = self.vaults.get_mut(vault).filter(|of_vault| of_vault.standing != standing)
        else {
            return;
        };
        let before = std::mem::replace(&mut of_vault.standing, standing);
        let running: usize = of_vault.running.iter().sum();
        self.running[before as usize] -= running;
        self.running[standing as usize] += running;
        for head in of_vault.waiting.iter().filter_map(|queue| queue.front()) {
            let moved = self.heads[before as usize].remove(head);
            self.heads[standing as usize].extend(moved.map(|moved| (*head, moved)));
        }
    }
}

impl OfVault {
    fn new(standing: VaultStanding) -> Self {
        Self { standing, running: [0; 2], waiting: Default::default() }
    }

    fn is_idle(&self) -> bool {
        self.running == [0; 2] && self.waiting.iter().all(VecDeque::is_empty)
    }

    /// Returns whether one more mount may run if `free` permits are free.
    fn may_start(&self, kind: MountKind, free: usize) -> bool {
        let running: usize = self.running.iter().sum();
        // The number of permits at which the vault would have as many as are free.
        let threshold = (running + free).div_ceil(2);
        // A starting pod gets a permit while republishes wait for a vault that throttles.
        let republishes = self.running[MountKind::Republish as usize];
        let for_republishes = threshold.div_ceil(2);
        running < threshold && (kind == MountKind::Initial || republishes < for_republishes)
    }
}

#[cfg(test)]
mod tests;

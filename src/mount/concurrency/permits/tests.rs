use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// A node's mounts, by their tickets.
#[derive(Default)]
struct Node {
    permits: Permits,
    /// In order of arrival.
    waiting: Vec<Mount>,
    running: Vec<Mount>,
    /// The invented vaults that have accepted a token.
    accepted: HashSet<String>,
}

/// The vaults of a mount, separated by blanks, are beside its key.
type Mount = (Ticket, String, Arc<QueueKey>, MountKind);

impl Node {
    /// Returns the standing of vaults by their names, separated by blanks.
    fn standing(&self, vaults: &str) -> VaultStanding {
        standing(&self.accepted, vaults.split(' '))
    }

    /// Lets a vault accept a token, or makes it one that was forgotten.
    fn toggle(&mut self, vault: &str) {
        if !self.accepted.remove(vault) {
            self.accepted.insert(vault.to_owned());
        }
        self.permits.update_all(|key| standing(&self.accepted, key.vaults()));
        self.start();
    }

    /// Starts this many mounts of one namespace, and returns how many run at once.
    fn mount(&mut self, vaults: &str, kind: MountKind, number: usize) -> usize {
        self.mount_in("default", vaults, kind, number)
    }

    fn mount_in(&mut self, namespace: &str, vaults: &str, kind: MountKind, number: usize) -> usize {
        let before = self.running.len();
        for _ in 0..number {
            let key = Arc::new(QueueKey::new(vaults.split(' '), namespace));
            let ticket = self.permits.enter(&key, kind, self.standing(vaults));
            self.waiting.push((ticket, vaults.to_owned(), key, kind));
            self.start();
        }
        self.running.len() - before
    }

    fn start(&mut self) {
        while let Some(ticket) = self.permits.start() {
            let place = self.waiting.iter().position(|(waiting, ..)| *waiting == ticket);
            let started = self.waiting.remove(place.expect("only a waiting mount starts"));
            self.running.push(started);
        }
    }

    fn end(&mut self, (ticket, vaults, key, kind): Mount) {
        let standing = self.standing(&vaults);
        self.permits.leave(&key, kind, ticket, standing);
        self.start();
    }

    fn running(&self, of: impl Fn(&str) -> bool) -> usize {
        self.running.iter().filter(|(_, vault, ..)| of(vault)).count()
    }
}

fn standing<'a>(accepted: &HashSet<String>, mut vaults: impl Iterator<Item = &'a str>) -> VaultStanding {
    let is_accepted = |vault: &str| !vault.starts_with("invented") || accepted.contains(vault);
    if vaults.all(is_accepted) { VaultStanding::Authenticated } else { VaultStanding::Unauthenticated }
}

use MountKind::{Initial, Republish};

#[test]
fn a_vault_has_half_of_the_permits_in_order_of_arrival() {
    let mut node = Node::default();
    assert_eq!(node.mount("lab", Initial, 70), 50);
    let (first, ..) = node.waiting[0];
    let ended = node.running.remove(7);
    node.end(ended);
    assert_eq!(node.running.last().map(|(ticket, ..)| *ticket), Some(first));
    assert_eq!(node.running(|vault| vault == "lab"), 50);
}

#[test]
fn two_vaults_that_hang_leave_permits_for_a_third() {
    let mut node = Node::default();
    assert_eq!(node.mount("hangs", Initial, 200), 50);
    assert_eq!(node.mount("hangs-too", Initial, 200), 25);
    assert_eq!(node.mount("healthy", Initial, 10), 10);
}

/// A region that is down is many vaults that hang.
#[test]
fn many_vaults_that_hang_leave_permits_for_others() {
    let mut node = Node::default();
    for number in 0..12 {
        assert!(node.mount(&format!("hangs-{number}"), Initial, 200) > 0);
    }
    assert_eq!(node.mount("healthy", Initial, 1), 1);
}

#[test]
fn a_namespace_with_any_number_of_vaults_that_hang_leaves_permits_for_others() {
    let mut node = Node::default();
    for number in 0..40 {
        node.mount_in("hostile", &format!("hangs-{number}"), Initial, 200);
        node.mount_in("hostile", &format!("invented-{number}"), Initial, 200);
    }
    assert_eq!(node.running.len(), MAX_MOUNTS - LAST);
    assert_eq!(node.mount_in("honest", "healthy", Initial, 1), 1);
    assert_eq!(node.mount_in("other", "healthy-2", Initial, 1), 1);
}

#[test]
fn a_vault_that_hangs_gets_no_more_permits_together_with_others() {
    let mut node = Node::default();
    let alone = node.mount("hangs", Initial, 200);
    for number in 0..7 {
        assert_eq!(node.mount(&format!("hangs other-{number}"), Initial, 50), 0);
    }
    assert!(alone == 50 && node.mount("other-1", Initial, 10) == 10);
}

#[test]
fn vaults_that_accepted_no_token_share_a_quarter() {
    let mut node = Node::default();
    for number in 0..1_000 {
        node.mount(&format!("invented-{number}"), Initial, 64);
    }
    assert_eq!(node.running.len(), MAX_MOUNTS_OF_UNAUTHENTICATED - 2);
    assert_eq!(node.mount_in("other", "invented-honest", Initial, 64), 1);
    assert_eq!(node.mount_in("third", "invented-honest-2", Initial, 64), 1);
    assert_eq!(node.running.len(), MAX_MOUNTS_OF_UNAUTHENTICATED);
    // Of the others one vault has half, as if the quarter were the only load.
    assert_eq!(node.mount("lab", Initial, 70), 38);
    assert_eq!(node.mount("lab-2", Initial, 10), 10);
}

/// After a start of the provider no vault has accepted a token yet.
#[test]
fn a_namespace_that_names_a_new_vault_for_each_mount_goes_after_others() {
    let mut node = Node::default();
    for number in 0..200 {
        node.mount_in("hostile", &format!("invented-{number}"), Initial, 1);
    }
    // Its first mount shows that the vault accepts a token, and then the others need not wait.
    assert_eq!(node.mount_in("honest", "invented-lab", Initial, 5), 1);
    assert_eq!(node.mount_in("other", "invented-b", Initial, 5), 1);
    for (namespace, vault) in [("third", "invented-c"), ("fourth", "invented-d")] {
        assert_eq!(node.mount_in(namespace, vault, Initial, 1), 0);
        let ended = node.running.iter().position(|(_, _, key, _)| *key.namespace == *"hostile").unwrap();
        let ended = node.running.remove(ended);
        node.end(ended);
        assert_eq!(node.running(|running| running == vault), 1, "before older ones of hostile");
    }
}

#[test]
fn new_names_do_not_take_the_last_permits() {
    let mut node = Node::default();
    node.mount("hangs", Initial, 200);
    node.mount("hangs-too", Initial, 200);
    for number in 0..200 {
        node.mount(&format!("invented-{number}"), Initial, 1);
    }
    assert!(node.mount("healthy", Initial, 3) == 3);
}

#[test]
fn a_vault_that_accepted_no_token_yet_leaves_permits_for_another() {
    let mut node = Node::default();
    assert_eq!(node.mount("invented", Initial, 100), 12);
    assert_eq!(node.mount("invented-2", Initial, 100), 6);
    assert_eq!(node.mount("invented-3", Initial, 2), 2);
}

#[test]
fn republishes_leave_half_of_a_vaults_permits_to_initial_mounts() {
    let mut node = Node::default();
    assert_eq!(node.mount("lab", Republish, 100), 25);
    assert_eq!(node.mount("lab", Initial, 100), 25);
    assert_eq!(node.mount("busy", Initial, 100), 25);
    assert_eq!(node.mount("late", Republish, 100), 7, "half of what the vault may have");
    assert_eq!(node.mount("late", Initial, 100), 6);
}

/// A pod author can name a vault without any right on it.
#[test]
fn a_namespace_that_fills_a_vaults_queue_leaves_permits_for_others() {
    let mut node = Node::default();
    assert_eq!(node.mount_in("hostile", "lab", Initial, 500), 50);
    assert_eq!(node.mount_in("honest", "lab", Initial, 20), 5);
    assert_eq!(node.mount_in("other", "lab", Initial, 20), 5);
    for _ in 0..30 {
        let of_hostile = |(_, _, key, _): &Mount| *key.namespace == *"hostile";
        let ended = node.running.iter().position(of_hostile).unwrap();
        let ended = node.running.remove(ended);
        node.end(ended);
    }
    let of = |node: &Node, namespace: &str| {
        node.running.iter().filter(|(_, _, key, _)| *key.namespace == *namespace).count()
    };
    assert_eq!([of(&node, "hostile"), of(&node, "honest"), of(&node, "other")], [20, 15, 15]);
}

#[test]
fn a_namespace_with_fewer_permits_goes_first_and_within_one_the_oldest() {
    let mut node = Node::default();
    assert_eq!(node.mount_in("a", "lab", Initial, 60), 50);
    assert_eq!(node.mount_in("b", "lab", Initial, 6), 5);
    let (first, ..) = node.waiting.iter().find(|(_, _, key, _)| *key.namespace == *"b").unwrap().clone();
    for _ in 0..6 {
        let ended = node.running.remove(0);
        node.end(ended);
    }
    assert_eq!(node.running.iter().filter(|(ticket, ..)| *ticket == first).count(), 1);
    assert!(node.waiting.iter().all(|(_, _, key, _)| *key.namespace == *"a"));
}

proptest! {
    /// Random arrivals and ends: whenever a mount may run and one waits, it runs; and nothing is left behind.
    #[test]
    fn permits_are_never_lost_and_never_exceeded(
        steps in proptest::collection::vec(
            (0..6_usize, 0..3_usize, any::<bool>(), any::<prop::sample::Index>(), 0..8_u8),
            1..600,
        )
    ) {
        let mut node = Node::default();
        for (vault, namespace, republish, which, step) in steps {
            let vault = ["a", "b", "c", "a b", "invented-a", "invented-b c"][vault];
            match step {
                0 | 1 if !node.running.is_empty() => {
                    let ended = node.running.remove(which.index(node.running.len()));
                    node.end(ended);
                }
                2 | 3 if !node.waiting.is_empty() => {
                    let gone = node.waiting.remove(which.index(node.waiting.len()));
                    node.end(gone);
                }
                4 => node.toggle(if republish { "invented-a" } else { "invented-b" }),
                _ => {
                    let kind = if republish { Republish } else { Initial };
                    node.mount_in(["x", "y", "z"][namespace], vault, kind, 7);
                }
            }
            prop_assert!(node.running.len() <= MAX_MOUNTS);
            for standing in STANDINGS {
                let running = node.running(|vaults| node.standing(vaults) == standing);
                let of_namespaces: usize = node.permits.namespaces[standing as usize].values().sum();
                prop_assert_eq!((running, running), (node.permits.running[standing as usize], of_namespaces));
            }
            let waiting: HashSet<_> = node.waiting.iter().map(|(_, vault, key, kind)| (vault, key, *kind as usize)).collect();
            for (vault, key, kind) in waiting {
                let is_free = node.permits.free(node.standing(vault)) > 0;
                let kind = [Initial, Republish][kind];
                prop_assert!(!is_free || !node.permits.may_start(key, kind), "{vault} waits for nothing");
            }
        }
        for ended in std::mem::take(&mut node.running) {
            node.end(ended);
        }
        while !node.running.is_empty() || !node.waiting.is_empty() {
            let ended = node.running.remove(0);
            node.end(ended);
        }
        prop_assert!(node.permits.is_empty());
    }
}

//! The order of the requests in the queue of one vault.

mod fair;

use std::sync::Arc;

use crate::spec::mount_kind::MountKind;

use self::fair::FairQueue;

/// How many requests of initial mounts may go in a row while a republish waits. The next permit is the republish's,
/// so that new pods slow republishes down but never stop them.
const MAX_INITIAL_IN_A_ROW: u32 = 3;

/// A queue of requests: those of initial mounts before those of republishes. Among requests of one kind namespaces take
/// turns, and those of one namespace go in order of arrival.
#[derive(Debug)]
pub(super) struct RequestQueue<T> {
    initial: FairQueue<T>,
    republish: FairQueue<T>,
    /// How many requests of initial mounts have gone since a republish began to wait.
    initial_in_a_row: u32,
    next_number: u64,
}

/// A position in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    kind: MountKind,
    namespace: Arc<str>,
    position: Position,
}

/// A position among the requests of one namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    arrival: u64,
    /// Distinguishes requests that return to the queue with the same arrival.
    number: u64,
}

impl Ticket {
    /// Returns the number of the request's arrival. A request that returns with it keeps its position in its namespace.
    pub fn arrival(&self) -> u64 {
        self.position.arrival
    }

    /// Returns the kind of mount that the request is for.
    pub fn kind(&self) -> MountKind {
        self.kind
    }

    /// Returns the namespace of the pod that the request is for.
    pub fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }
}

impl<T> RequestQueue<T> {
    pub(super) fn new() -> Self {
        Self { initial: FairQueue::new(), republish: FairQueue::new(), initial_in_a_row: 0, next_number: 0 }
    }

    /// Adds a request to those of a namespace: as the newest, or at its earlier position if `arrival` is given.
    pub(super) fn join(
        &mut self,
        kind: MountKind,
        namespace: &Arc<str>,
        arrival: Option<u64>,
        request: T,
    ) -> Ticket {
        let number = self.next_number;
        self.next_number += 1;
        let position = Position { arrival: arrival.unwrap_or(number), number };
        self.of(kind).insert(namespace, position, request);
        Ticket { kind, namespace: namespace.clone(), position }
    }

    /// Moves a request to the initial mounts. It keeps its arrival.
    pub(super) fn promote(&mut self, ticket: &mut Ticket) {
        // Otherwise the only request of a namespace would lose its turn.
        if ticket.kind == MountKind::Republish
            && let Some(request) = self.remove(ticket)
        {
            ticket.kind = MountKind::Initial;
            self.initial.insert(&ticket.namespace, ticket.position, request);
        }
    }

    /// Moves a request to those of another namespace, if fewer of these are before it. It keeps its arrival.
    pub(super) fn move_forward(&mut self, ticket: &mut Ticket, namespace: &Arc<str>) {
        let position = ticket.position;
        if self.of(ticket.kind).is_sooner(namespace, &ticket.namespace, position)
            && let Some(request) = self.remove(ticket)
        {
            ticket.namespace = namespace.clone();
            self.of(ticket.kind).insert(namespace, position, request);
        }
    }

    /// Removes a request that will not be sent.
    pub(super) fn leave(&mut self, ticket: &Ticket) {
        self.remove(ticket);
    }

    /// Returns the request that goes next.
    pub(super) fn first(&self) -> Option<(Ticket, &T)> {
        let kind = self.first_kind();
        let queue = match kind {
            MountKind::Initial => &self.initial,
            MountKind::Republish => &self.republish,
        };
        let (namespace, position, request) = queue.first()?;
        Some((Ticket { kind, namespace: namespace.clone(), position }, request))
    }

    /// Removes the request that goes next.
    pub(super) fn pop_first(&mut self) -> Option<(Ticket, T)> {
        let kind = self.first_kind();
        let (namespace, position, request) = self.of(kind).pop_first()?;
        self.initial_in_a_row = match kind {
            MountKind::Initial if !self.republish.is_empty() => self.initial_in_a_row + 1,
            MountKind::Initial | MountKind::Republish => 0,
        };
        Some((Ticket { kind, namespace, position }, request))
    }

    /// Returns all requests, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.initial.iter().chain(self.republish.iter())
    }

    /// Returns the kind of the request that goes next, if one waits.
    fn first_kind(&self) -> MountKind {
        let aged = self.initial_in_a_row >= MAX_INITIAL_IN_A_ROW;
        if self.initial.is_empty() || aged && !self.republish.is_empty() {
            MountKind::Republish
        } else {
            MountKind::Initial
        }
    }

    fn remove(&mut self, ticket: &Ticket) -> Option<T> {
        self.of(ticket.kind).remove(&ticket.namespace, ticket.position)
    }

    fn of(&mut self, kind: MountKind) -> &mut FairQueue<T> {
        match kind {
            MountKind::Initial => &mut self.initial,
            MountKind::Republish => &mut self.republish,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use MountKind::{Initial, Republish};

    /// Adds a request of a namespace.
    fn join_of(queue: &mut RequestQueue<u32>, namespace: &str, kind: MountKind, request: u32) -> Ticket {
        queue.join(kind, &namespace.into(), None, request)
    }

    fn join(queue: &mut RequestQueue<u32>, kind: MountKind, request: u32) -> Ticket {
        join_of(queue, "shop", kind, request)
    }

    fn order(queue: &mut RequestQueue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop_first()).map(|(_, request)| request).collect()
    }

    #[test]
    fn initial_mounts_go_first_and_otherwise_the_earlier_request() {
        let mut queue = RequestQueue::new();
        for (kind, request) in [(Republish, 10), (Initial, 1), (Republish, 11), (Initial, 2)] {
            join(&mut queue, kind, request);
        }
        assert_eq!(order(&mut queue), [1, 2, 10, 11]);
    }

    #[test]
    fn every_fourth_permit_goes_to_the_oldest_republish() {
        let mut queue = RequestQueue::new();
        for request in 0..8 {
            join(&mut queue, Initial, request);
        }
        for request in 10..14 {
            join(&mut queue, Republish, request);
        }
        assert_eq!(order(&mut queue), [0, 1, 2, 10, 3, 4, 5, 11, 6, 7, 12, 13]);
    }

    #[test]
    fn initial_mounts_that_went_before_a_republish_came_do_not_count() {
        let mut queue = RequestQueue::new();
        for request in 0..8 {
            join(&mut queue, Initial, request);
        }
        let went: Vec<_> = (0..4).filter_map(|_| queue.pop_first()).map(|(_, request)| request).collect();
        assert_eq!(went, [0, 1, 2, 3]);
        join(&mut queue, Republish, 10);
        assert_eq!(order(&mut queue), [4, 5, 6, 10, 7]);
    }

    #[test]
    fn a_request_that_comes_back_keeps_its_place() {
        let mut queue = RequestQueue::new();
        let refused = join(&mut queue, Initial, 1);
        assert_eq!(queue.pop_first().map(|(_, request)| request), Some(1));
        join(&mut queue, Initial, 2);
        queue.join(Initial, refused.namespace(), Some(refused.arrival()), 1);
        assert_eq!(order(&mut queue), [1, 2]);
    }

    /// A mount of 20 objects once waited 13 seconds for them, and more than a minute where the vault throttled.
    #[test]
    fn a_namespace_with_thousands_of_reads_delays_another_namespace_by_one_read_each() {
        for kind in [Initial, Republish] {
            let mut queue = RequestQueue::new();
            for request in 0..3_200 {
                join_of(&mut queue, "shop", kind, request);
            }
            for request in 10_000..10_020 {
                join_of(&mut queue, "bank", kind, request);
            }
            let order = order(&mut queue);
            let expected: Vec<u32> = (0..20).flat_map(|read| [read, 10_000 + read]).collect();
            assert_eq!(order[..40], expected);
            assert!(order[40..].iter().copied().eq(20..3_200));
        }
    }

    /// Each fourth request is one of a republish, whatever its namespace.
    #[test]
    fn a_namespace_delays_each_read_of_another_by_two_and_each_of_a_republish_by_seven() {
        for (kind, delay) in [(Initial, 2), (Republish, 7)] {
            let mut queue = RequestQueue::new();
            for request in 0..3_200 {
                join(&mut queue, Initial, request);
                join(&mut queue, Republish, request);
            }
            for request in 10_000..10_020 {
                join_of(&mut queue, "bank", kind, request);
            }
            let order = order(&mut queue);
            let places = order.iter().enumerate().filter(|(_, request)| **request >= 10_000);
            let places: Vec<usize> = places.map(|(place, _)| place).collect();
            let latest = (1_usize..=20).map(|read| (delay + 1) * read - 1);
            assert!(places.iter().zip(latest).all(|(place, latest)| *place <= latest), "{places:?}");
        }
    }

    #[test]
    fn a_request_that_comes_back_keeps_its_place_in_its_namespace() {
        let mut queue = RequestQueue::new();
        let refused: Vec<_> = (0..3).map(|request| join(&mut queue, Initial, request)).collect();
        join(&mut queue, Initial, 3);
        assert_eq!((0..3).filter_map(|_| queue.pop_first()).count(), 3);
        for request in [10, 11] {
            join_of(&mut queue, "bank", Initial, request);
        }
        for (request, ticket) in (0..).zip(refused) {
            queue.join(Initial, ticket.namespace(), Some(ticket.arrival()), request);
        }
        assert_eq!(order(&mut queue), [0, 10, 1, 11, 2, 3]);
    }

    #[test]
    fn a_promoted_request_takes_the_next_turn_of_its_namespace() {
        let mut queue = RequestQueue::new();
        let mut promoted = join_of(&mut queue, "bank", Republish, 10);
        for request in 0..3 {
            join(&mut queue, Initial, request);
        }
        join_of(&mut queue, "bank", Initial, 11);
        queue.promote(&mut promoted);
        // It is one of an initial mount already.
        queue.promote(&mut promoted);
        assert_eq!(order(&mut queue), [0, 10, 1, 11, 2]);
    }

    #[test]
    fn a_read_that_a_namespace_with_few_waits_for_too_goes_in_its_turn() {
        let mut queue = RequestQueue::new();
        let mut shared: Vec<_> = (0..3_200).map(|request| join(&mut queue, Initial, request)).collect();
        for ticket in &mut shared[3_180..] {
            queue.move_forward(ticket, &"bank".into());
        }
        // A namespace with thousands of reads cannot take them back.
        for ticket in &mut shared[3_180..] {
            queue.move_forward(ticket, &"shop".into());
        }
        let order = order(&mut queue);
        let expected: Vec<u32> = (0..20).flat_map(|read| [read, 3_180 + read]).collect();
        assert_eq!(order[..40], expected);
        assert!(order[40..].iter().copied().eq(20..3_180));
    }

    #[test]
    fn a_request_that_left_is_moved_nowhere() {
        let mut queue = RequestQueue::new();
        join(&mut queue, Initial, 1);
        let mut gone = join(&mut queue, Initial, 2);
        queue.leave(&gone);
        queue.move_forward(&mut gone, &"bank".into());
        assert_eq!(order(&mut queue), [1]);
    }

    #[test]
    fn a_promoted_request_goes_by_its_arrival_among_initial_mounts() {
        let mut queue = RequestQueue::new();
        join(&mut queue, Initial, 1);
        let mut promoted = join(&mut queue, Republish, 2);
        join(&mut queue, Initial, 3);
        queue.promote(&mut promoted);
        assert_eq!(order(&mut queue), [1, 2, 3]);
    }

    #[test]
    fn a_request_that_left_neither_goes_nor_comes_back_by_promotion() {
        let mut queue = RequestQueue::new();
        let mut gone = join(&mut queue, Republish, 1);
        join(&mut queue, Initial, 2);
        queue.leave(&gone);
        queue.promote(&mut gone);
        assert_eq!(order(&mut queue), [2]);
        assert_eq!(queue.iter().count(), 0);
    }
}

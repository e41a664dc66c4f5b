//! The order of the requests in the queue of one vault.

use std::collections::BTreeMap;

use crate::spec::mount_kind::MountKind;

/// How many requests of initial mounts may go in a row while a republish waits. The next permit is the republish's,
/// so that new pods slow republishes down but never stop them.
const MAX_INITIAL_IN_A_ROW: u32 = 3;

/// A queue of requests: those of initial mounts before those of republishes, and otherwise in order of arrival.
#[derive(Debug)]
pub(super) struct RequestQueue<T> {
    initial: BTreeMap<Position, T>,
    republish: BTreeMap<Position, T>,
    /// How many requests of initial mounts have gone since a republish began to wait.
    initial_in_a_row: u32,
    next_number: u64,
}

/// A position in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    kind: MountKind,
    position: Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    arrival: u64,
    /// Distinguishes requests that return to the queue with the same arrival.
    number: u64,
}

impl Ticket {
    /// Returns the number of the request's arrival. A request that returns with it keeps its position.
    pub fn arrival(&self) -> u64 {
        self.position.arrival
    }

    /// Returns the kind of mount that the request is for.
    pub fn kind(&self) -> MountKind {
        self.kind
    }
}

impl<T> RequestQueue<T> {
    pub(super) fn new() -> Self {
        Self { initial: BTreeMap::new(), republish: BTreeMap::new(), initial_in_a_row: 0, next_number: 0 }
    }

    /// Adds a request: as the newest, or at its earlier position if `arrival` is given.
    pub(super) fn join(&mut self, kind: MountKind, arrival: Option<u64>, request: T) -> Ticket {
        let number = self.next_number;
        self.next_number += 1;
        let position = Position { arrival: arrival.unwrap_or(number), number };
        self.of(kind).insert(position, request);
        Ticket { kind, position }
    }

    /// Moves a request to the initial mounts. It keeps its arrival.
    pub(super) fn promote(&mut self, ticket: &mut Ticket) {
        if let Some(request) = self.remove(ticket) {
            ticket.kind = MountKind::Initial;
            self.initial.insert(ticket.position, request);
        }
    }

    /// Removes a request that will not be sent.
    pub(super) fn leave(&mut self, ticket: &Ticket) {
        self.remove(ticket);
    }

    /// Returns the request that goes next.
    pub(super) fn first(&self) -> Option<(Ticket, &T)> {
        let aged = self.initial_in_a_row >= MAX_INITIAL_IN_A_ROW;
        let (initial, republish) = (self.initial.first_key_value(), self.republish.first_key_value());
        let (kind, (position, request)) = match (initial, republish) {
            (Some(initial), None) => (MountKind::Initial, initial),
            (Some(initial), Some(_)) if !aged => (MountKind::Initial, initial),
            (_, republish) => (MountKind::Republish, republish?),
        };
        Some((Ticket { kind, position: *position }, request))
    }

    /// Removes the request that goes next.
    pub(super) fn pop_first(&mut self) -> Option<(Ticket, T)> {
        let (ticket, _) = self.first()?;
        let request = self.remove(&ticket)?;
        self.initial_in_a_row = match ticket.kind {
            MountKind::Initial if !self.republish.is_empty() => self.initial_in_a_row + 1,
            MountKind::Initial | MountKind::Republish => 0,
        };
        Some((ticket, request))
    }

    /// Returns all requests, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.initial.values().chain(self.republish.values())
    }

    fn remove(&mut self, ticket: &Ticket) -> Option<T> {
        self.of(ticket.kind).remove(&ticket.position)
    }

    fn of(&mut self, kind: MountKind) -> &mut BTreeMap<Position, T> {
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

    fn order(queue: &mut RequestQueue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop_first()).map(|(_, request)| request).collect()
    }

    #[test]
    fn initial_mounts_go_first_and_otherwise_the_earlier_request() {
        let mut queue = RequestQueue::new();
        for (kind, request) in [(Republish, 10), (Initial, 1), (Republish, 11), (Initial, 2)] {
            queue.join(kind, None, request);
        }
        assert_eq!(order(&mut queue), [1, 2, 10, 11]);
    }

    #[test]
    fn every_fourth_permit_goes_to_the_oldest_republish() {
        let mut queue = RequestQueue::new();
        for request in 0..8 {
            queue.join(Initial, None, request);
        }
        for request in 10..14 {
            queue.join(Republish, None, request);
        }
        assert_eq!(order(&mut queue), [0, 1, 2, 10, 3, 4, 5, 11, 6, 7, 12, 13]);
    }

    #[test]
    fn initial_mounts_that_went_before_a_republish_came_do_not_count() {
        let mut queue = RequestQueue::new();
        for request in 0..8 {
            queue.join(Initial, None, request);
        }
        let went: Vec<_> = (0..4).filter_map(|_| queue.pop_first()).map(|(_, request)| request).collect();
        assert_eq!(went, [0, 1, 2, 3]);
        queue.join(Republish, None, 10);
        assert_eq!(order(&mut queue), [4, 5, 6, 10, 7]);
    }

    #[test]
    fn a_request_that_comes_back_keeps_its_place() {
        let mut queue = RequestQueue::new();
        let refused = queue.join(Initial, None, 1);
        assert_eq!(queue.pop_first().map(|(_, request)| request), Some(1));
        queue.join(Initial, None, 2);
        queue.join(Initial, Some(refused.arrival()), 1);
        assert_eq!(order(&mut queue), [1, 2]);
    }

    #[test]
    fn a_promoted_request_goes_by_its_arrival_among_initial_mounts() {
        let mut queue = RequestQueue::new();
        queue.join(Initial, None, 1);
        let mut promoted = queue.join(Republish, None, 2);
        queue.join(Initial, None, 3);
        queue.promote(&mut promoted);
        assert_eq!(order(&mut queue), [1, 2, 3]);
    }

    #[test]
    fn a_request_that_left_neither_goes_nor_comes_back_by_promotion() {
        let mut queue = RequestQueue::new();
        let mut gone = queue.join(Republish, None, 1);
        queue.join(Initial, None, 2);
        queue.leave(&gone);
        queue.promote(&mut gone);
        assert_eq!(order(&mut queue), [2]);
        assert_eq!(queue.iter().count(), 0);
    }
}

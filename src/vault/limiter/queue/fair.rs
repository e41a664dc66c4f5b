//! A queue in which namespaces take turns. Otherwise a namespace with thousands of requests would delay each request of
//! another one by all of them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::Position;

/// A queue of requests in which namespaces take turns. In its turn a namespace's first request goes.
///
/// A namespace without requests has no turn and takes no memory.
#[derive(Debug)]
pub(super) struct FairQueue<T> {
    namespaces: HashMap<Arc<str>, OfNamespace<T>>,
    /// The namespaces by the numbers of their next turns.
    turns: BTreeMap<u64, Arc<str>>,
}

/// The requests of one namespace, at least one.
#[derive(Debug)]
struct OfNamespace<T> {
    turn: u64,
    requests: BTreeMap<Position, T>,
}

impl<T> FairQueue<T> {
    pub(super) fn new() -> Self {
        Self { namespaces: HashMap::new(), turns: BTreeMap::new() }
    }

    /// Adds a request. A namespace that had none gets its turn after all others.
    pub(super) fn insert(&mut self, namespace: &Arc<str>, position: Position, request: T) {
        let Self { namespaces, turns } = self;
        let of_namespace = namespaces.entry(namespace.clone()).or_insert_with(|| OfNamespace {
            turn: add_turn(turns, namespace.clone()),
            requests: BTreeMap::new(),
        });
        of_namespace.requests.insert(position, request);
    }

    /// Removes a request that will not go. Its namespace keeps its turn for its other requests.
    pub(super) fn remove(&mut self, namespace: &Arc<str>, position: Position) -> Option<T> {
        let of_namespace = self.namespaces.get_mut(namespace)?;
        let request = of_namespace.requests.remove(&position)?;
        if of_namespace.requests.is_empty() {
            self.turns.remove(&of_namespace.turn);
            self.namespaces.remove(namespace);
        }
        Some(request)
    }

    /// Returns whether fewer requests of `one` namespace than of the `other` come before a position.
    pub(super) fn is_sooner(&self, one: &str, other: &str, position: Position) -> bool {
        let before = |namespace| {
            let requests = self.namespaces.get(namespace).map(|of_namespace| &of_namespace.requests);
            requests.into_iter().flat_map(move |requests| requests.range(..position))
        };
        // As many steps as the shorter one has.
        before(one).map(drop).lt(before(other).map(drop))
    }

    /// Returns the request that goes next.
    pub(super) fn first(&self) -> Option<(&Arc<str>, Position, &T)> {
        let (_, namespace) = self.turns.first_key_value()?;
        let (position, request) = self.namespaces.get(namespace)?.requests.first_key_value()?;
        Some((namespace, *position, request))
    }

    /// Removes the request that goes next. The next turn of its namespace comes after those of all others.
    pub(super) fn pop_first(&mut self) -> Option<(Arc<str>, Position, T)> {
        let (_, namespace) = self.turns.pop_first()?;
        let of_namespace = self.namespaces.get_mut(&namespace)?;
        let (position, request) = of_namespace.requests.pop_first()?;
        if of_namespace.requests.is_empty() {
            self.namespaces.remove(&namespace);
        } else {
            of_namespace.turn = add_turn(&mut self.turns, namespace.clone());
        }
        Some((namespace, position, request))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Returns all requests, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.namespaces.values().flat_map(|of_namespace| of_namespace.requests.values())
    }
}

/// Adds a turn of a namespace after all others, and returns its number.
fn add_turn(turns: &mut BTreeMap<u64, Arc<str>>, namespace: Arc<str>) -> u64 {
    let turn = turns.last_key_value().map_or(0, |(last, _)| last + 1);
    turns.insert(turn, namespace);
    turn
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Requests {
        queue: FairQueue<&'static str>,
        arrivals: u64,
    }

    impl Requests {
        /// Returns a queue with a request of each of these namespaces in turn.
        fn of(namespaces: &[&'static str]) -> Self {
            let mut requests = Self { queue: FairQueue::new(), arrivals: 0 };
            for &namespace in namespaces {
                requests.add(namespace);
            }
            requests
        }

        fn add(&mut self, namespace: &'static str) -> Position {
            let position = Position { arrival: self.arrivals, number: self.arrivals };
            self.arrivals += 1;
            self.queue.insert(&namespace.into(), position, namespace);
            position
        }

        fn next(&mut self) -> Option<&'static str> {
            let first = self.queue.first().map(|(_, _, request)| *request);
            let (namespace, _, request) = self.queue.pop_first()?;
            assert_eq!((Some(&*namespace), Some(request)), (first, first));
            Some(request)
        }

        fn all(mut self) -> Vec<&'static str> {
            let order = std::iter::from_fn(|| self.next()).collect();
            assert!(self.queue.is_empty() && self.queue.turns.is_empty() && self.queue.namespaces.is_empty());
            order
        }
    }

    #[test]
    fn namespaces_take_turns_in_order_of_arrival() {
        let requests = Requests::of(&["shop", "shop", "shop", "bank", "blog", "blog"]);
        assert_eq!(requests.all(), ["shop", "bank", "blog", "shop", "blog", "shop"]);
    }

    /// Otherwise it would go before all others each time.
    #[test]
    fn a_namespace_that_sends_one_request_after_the_other_waits_for_its_turn() {
        let mut requests = Requests::of(&["shop", "shop", "shop", "bank"]);
        assert_eq!((requests.next(), requests.next()), (Some("shop"), Some("bank")));
        requests.add("bank");
        assert_eq!((requests.next(), requests.next()), (Some("shop"), Some("bank")));
        requests.add("bank");
        assert_eq!(requests.all(), ["shop", "bank"]);
    }

    #[test]
    fn requests_that_leave_take_no_turns() {
        let mut requests = Requests::of(&["bank"]);
        let gone: Vec<_> = (0..100).map(|_| requests.add("shop")).collect();
        requests.add("shop");
        requests.add("bank");
        for position in gone {
            assert_eq!(requests.queue.remove(&"shop".into(), position), Some("shop"));
            assert_eq!(requests.queue.remove(&"shop".into(), position), None);
        }
        assert_eq!(requests.all(), ["bank", "shop", "bank"]);
    }

    #[test]
    fn nothing_is_kept_of_a_namespace_without_requests() {
        let mut requests = Requests::of(&["shop"]);
        for namespace in ["bank", "blog", "bank"] {
            let position = requests.add(namespace);
            assert_eq!(requests.queue.remove(&namespace.into(), position), Some(namespace));
        }
        assert_eq!((requests.queue.namespaces.len(), requests.queue.turns.len()), (1, 1));
        assert_eq!(requests.queue.iter().count(), 1);
    }
}

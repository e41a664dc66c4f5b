//! A simulation of nodes, a vault and the network between them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use akv_provider::{
    spec::mount_kind::MountKind,
    transport::MAX_THROTTLED_TRIES,
    vault::limiter::{InFlight, LimiterState, Next, Ticket},
};
use fastrand::Rng;
use tokio::time::Instant;

use crate::vault::{Limit, Vault};

const MS: Duration = Duration::from_millis(1);

/// The network's delay in each direction.
const ONE_WAY: Duration = Duration::from_millis(5);

/// The vault's `Retry-After` when it throttles.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The reads of all nodes.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) nodes: usize,
    /// Reads of each node, all at once.
    pub(crate) reads: usize,
    pub(crate) has_jitter: bool,
}

/// The outcome of a simulation.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The time until the last answer.
    pub(crate) took: Duration,
    pub(crate) refused: usize,
    pub(crate) failed: usize,
    /// The highest number of requests at the vault within a tenth of a second. The first half second is left out, since
    /// no node knows the limit then.
    pub(crate) peak: usize,
}

/// Simulates until all reads have an answer.
pub(crate) fn simulate(load: Load, limit: Limit, seed: u64) -> Outcome {
    let mut simulation = Simulation::new(load, limit, seed);
    while let Some(Reverse((now, number))) = simulation.agenda.pop() {
        if let Some(event) = simulation.events.remove(&number) {
            simulation.happen(now, event);
        }
    }
    let peak = simulation.arrivals.range(5..).map(|(_, arrivals)| *arrivals).max();
    Outcome { peak: peak.unwrap_or_default(), ..simulation.outcome }
}

struct Simulation {
    load: Load,
    vault: Vault,
    random: Rng,
    begin: Instant,
    nodes: Vec<Node>,
    /// The times of the events, by event number.
    agenda: BinaryHeap<Reverse<(Instant, u64)>>,
    events: BTreeMap<u64, Event>,
    next_number: u64,
    /// Requests that reached the vault, by tenths of a second.
    arrivals: BTreeMap<u128, usize>,
    outcome: Outcome,
}

/// A node's limiter. Each waiting read carries the number of its tries.
struct Node {
    limiter: LimiterState<u32>,
    /// The next time at which the limiter checks whether it may send more.
    timer: Option<Instant>,
}

/// A read in transit.
struct Read {
    node: usize,
    tries: u32,
    ticket: Ticket,
    request: InFlight,
}

enum Event {
    Timer { node: usize },
    AtVault(Read),
    Answered(Read),
    Refused(Read),
}

impl Simulation {
    fn new(load: Load, limit: Limit, seed: u64) -> Self {
        let begin = Instant::now();
        let mut simulation = Self {
            load,
            vault: Vault::new(limit),
            random: Rng::with_seed(seed),
            begin,
            nodes: Vec::new(),
            agenda: BinaryHeap::new(),
            events: BTreeMap::new(),
            next_number: 0,
            arrivals: BTreeMap::new(),
            outcome: Outcome::default(),
        };
        let namespace = "shop".into();
        for node in 0..load.nodes {
            // The value for a mount with the default timeout.
            let mut limiter = LimiterState::new(Duration::from_secs(1));
            for _ in 0..load.reads {
                limiter.join(MountKind::Initial, &namespace, None, 0);
            }
            simulation.nodes.push(Node { limiter, timer: None });
            let at = begin + MS.mul_f64(20.0 * simulation.random.f64());
            simulation.plan(at, Event::Timer { node });
        }
        simulation
    }

    fn plan(&mut self, at: Instant, event: Event) {
        self.agenda.push(Reverse((at, self.next_number)));
        self.events.insert(self.next_number, event);
        self.next_number += 1;
    }

    fn happen(&mut self, now: Instant, event: Event) {
        match event {
            Event::Timer { node } => {
                self.nodes[node].timer.take_if(|timer| *timer <= now);
                self.send(node, now);
            }
            Event::AtVault(read) => {
                *self.arrivals.entry(now.duration_since(self.begin).as_millis() / 100).or_default() += 1;
                // Jitter: no two answers take exactly the same time.
                let back = now + ONE_WAY + MS.mul_f64(self.random.f64());
                let answers = self.vault.answers(now);
                self.plan(back, if answers { Event::Answered(read) } else { Event::Refused(read) });
            }
            Event::Answered(read) => {
                self.nodes[read.node].limiter.answered(read.request, now);
                self.outcome.took = now.duration_since(self.begin);
                self.send(read.node, now);
            }
            Event::Refused(read) => {
                let jitter = if self.load.has_jitter { self.random.f64() } else { 0.0 };
                let limiter = &mut self.nodes[read.node].limiter;
                limiter.refused(read.request, now, Some(RETRY_AFTER), jitter);
                self.outcome.refused += 1;
                if read.tries == MAX_THROTTLED_TRIES {
                    self.outcome.failed += 1;
                } else {
                    let arrival = Some(read.ticket.arrival());
                    limiter.join(read.ticket.kind(), read.ticket.namespace(), arrival, read.tries);
                }
                self.send(read.node, now);
            }
        }
    }

    /// Sends what the limiter allows, and sets the timer for what it allows later.
    fn send(&mut self, node: usize, now: Instant) {
        loop {
            let Node { limiter, timer } = &mut self.nodes[node];
            match limiter.next(now) {
                Next::Go(_) => {
                    let Some((ticket, tries, request)) = limiter.send(now) else { return };
                    let read = Read { node, tries: tries + 1, ticket, request };
                    self.plan(now + ONE_WAY, Event::AtVault(read));
                }
                Next::At(moment) => {
                    if timer.is_none_or(|timer| moment < timer) {
                        *timer = Some(moment);
                        self.plan(moment, Event::Timer { node });
                    }
                    return;
                }
                Next::WhenAnswered | Next::Idle => return,
            }
        }
    }
}

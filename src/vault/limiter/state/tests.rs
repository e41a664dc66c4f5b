//! Random arrivals, answers, refusals and clocks, checked against a model of the limiter's promises.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

use MountKind::{Initial, Republish};

const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const MAX_IN_FLIGHT: usize = 64;
/// Key Vault's published limit.
const BURST: f64 = 1_500.0;
const PER_SECOND: f64 = 250.0;
const NAMESPACES: [&str; 3] = ["shop", "bank", "blog"];
/// The longest time between two requests to a vault that is not closed: five requests a second.
const MAX_PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Clone)]
enum Step {
    Arrive {
        kind: MountKind,
        /// The place in [`NAMESPACES`].
        namespace: usize,
        number: usize,
    },
    /// A refused request returns with its arrival.
    ComeBack,
    Leave {
        which: usize,
    },
    Promote {
        which: usize,
    },
    Answer {
        which: usize,
        number: usize,
    },
    Refuse {
        which: usize,
        retry_after: Option<u64>,
        jitter: f64,
    },
    End {
        which: usize,
    },
    Advance {
        milliseconds: u64,
    },
    /// To the announced time, if there is one.
    AdvanceToNext,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let kind = prop_oneof![Just(Initial), Just(Republish)];
    let retry_after = prop_oneof![
        Just(None),
        Just(Some(0)),
        (0_u64..3_000).prop_map(Some),
        Just(Some(40_000)),
        Just(Some(u64::MAX))
    ];
    let step = prop_oneof![
        4 => (kind, 0..NAMESPACES.len(), prop_oneof![3 => 1_usize..5, 1 => 1_usize..150])
            .prop_map(|(kind, namespace, number)| Step::Arrive { kind, namespace, number }),
        1 => Just(Step::ComeBack),
        1 => any::<usize>().prop_map(|which| Step::Leave { which }),
        1 => any::<usize>().prop_map(|which| Step::Promote { which }),
        6 => (any::<usize>(), prop_oneof![Just(1_usize), 1_usize..65])
            .prop_map(|(which, number)| Step::Answer { which, number }),
        2 => (any::<usize>(), retry_after, 0.0..=1.0)
            .prop_map(|(which, retry_after, jitter)| Step::Refuse { which, retry_after, jitter }),
        1 => any::<usize>().prop_map(|which| Step::End { which }),
        3 => prop_oneof![3 => 0_u64..50, 2 => 0_u64..2_000, 1 => 0_u64..70_000]
            .prop_map(|milliseconds| Step::Advance { milliseconds }),
        6 => Just(Step::AdvanceToNext),
    ];
    prop::collection::vec(step, 1..200)
}

/// A model of the limiter's promises, beside the limiter.
struct Model {
    limiter: LimiterState<usize>,
    now: Instant,
    waiting: Vec<Waiting>,
    in_flight: Vec<Sent>,
    /// The namespaces and arrivals of refused requests.
    refused: VecDeque<(usize, u64)>,
    next_id: usize,
    /// The latest time that the vault has named.
    named: Option<Instant>,
    /// The latest time at which the vault can be open again, with all jitter.
    open_again: Option<Instant>,
    last_sent: Option<Instant>,
    /// The published limit: the tokens, and the time at which they were counted.
    tokens: (f64, Instant),
    initial_in_a_row: usize,
    /// By [`MountKind`] and namespace.
    turns: [[Turn; NAMESPACES.len()]; 2],
    next_turn: usize,
    announced: Option<Instant>,
}

struct Waiting {
    id: usize,
    namespace: usize,
    ticket: Ticket,
}

struct Sent {
    request: InFlight,
    namespace: usize,
    arrival: u64,
}

/// The next turn of a namespace whose requests wait.
#[derive(Clone, Copy, Default)]
struct Turn {
    number: usize,
    /// The namespaces that have had a turn since this one began to wait.
    passed: [bool; NAMESPACES.len()],
}

impl Model {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            limiter: LimiterState::new(FIRST_BACKOFF),
            now,
            waiting: Vec::new(),
            in_flight: Vec::new(),
            refused: VecDeque::new(),
            next_id: 0,
            named: None,
            open_again: None,
            last_sent: None,
            tokens: (BURST, now),
            initial_in_a_row: 0,
            turns: Default::default(),
            next_turn: 0,
            announced: None,
        }
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Arrive { kind, namespace, number } => {
                (0..number).for_each(|_| self.join(kind, namespace, None));
            }
            Step::ComeBack => {
                if let Some((namespace, arrival)) = self.refused.pop_front() {
                    self.join(Initial, namespace, Some(arrival));
                }
            }
            Step::Leave { which } if !self.waiting.is_empty() => {
                let gone = self.waiting.remove(which % self.waiting.len());
                self.limiter.leave(&gone.ticket);
            }
            Step::Promote { which } if !self.waiting.is_empty() => {
                let which = which % self.waiting.len();
                self.begin_to_wait(Initial, self.waiting[which].namespace);
                self.limiter.promote(&mut self.waiting[which].ticket);
                assert_eq!(self.waiting[which].ticket.kind(), Initial);
            }
            Step::Answer { which, number } => {
                for _ in 0..number.min(self.in_flight.len()) {
                    let Sent { request, .. } = self.in_flight.swap_remove(which % self.in_flight.len());
                    self.limiter.answered(request, self.now);
                }
            }
            Step::Refuse { which, retry_after, jitter } if !self.in_flight.is_empty() => {
                self.refuse(which, retry_after.map(Duration::from_millis), jitter);
            }
            Step::End { which } if !self.in_flight.is_empty() => {
                let Sent { request, .. } = self.in_flight.swap_remove(which % self.in_flight.len());
                self.limiter.ended(request);
            }
            Step::Advance { milliseconds } => {
                let to = self.now + Duration::from_millis(milliseconds);
                self.go_to(to);
            }
            Step::AdvanceToNext => {
                if let Some(announced) = self.announced {
                    self.go_to(announced);
                }
            }
            Step::Leave { .. } | Step::Promote { .. } | Step::Refuse { .. } | Step::End { .. } => {}
        }
        self.send_all();
    }

    /// Lets time pass without events. No request goes before the announced time, and then one does.
    fn go_to(&mut self, to: Instant) {
        while let Some(announced) = self.announced.filter(|announced| *announced <= to) {
            let between = self.now + (announced - self.now) / 2;
            assert_eq!(self.limiter.next(between), Next::At(announced), "it was announced otherwise");
            self.now = announced;
            let waited = self.waiting.len();
            self.send_all();
            assert!(self.waiting.len() < waited || self.announced > Some(announced), "none went");
        }
        self.now = to;
    }

    fn join(&mut self, kind: MountKind, namespace: usize, arrival: Option<u64>) {
        let id = self.next_id;
        self.next_id += 1;
        self.begin_to_wait(kind, namespace);
        let ticket = self.limiter.join(kind, &NAMESPACES[namespace].into(), arrival, id);
        self.waiting.push(Waiting { id, namespace, ticket });
    }

    fn waits(&self, kind: MountKind, namespace: usize) -> bool {
        self.waiting.iter().any(|waiting| waiting.namespace == namespace && waiting.ticket.kind() == kind)
    }

    /// Gives a namespace its turn after all others, unless it waits for one already.
    fn begin_to_wait(&mut self, kind: MountKind, namespace: usize) {
        if !self.waits(kind, namespace) {
            self.begin_turn(kind, namespace);
        }
    }

    fn begin_turn(&mut self, kind: MountKind, namespace: usize) {
        self.turns[kind as usize][namespace] = Turn { number: self.next_turn, ..Turn::default() };
        self.next_turn += 1;
    }

    /// Ends the turn of a namespace, and checks that it had no other while another namespace waits for its own. So for
    /// each request of its own, itself included, a request waits for at most one of each other namespace.
    fn end_turn(&mut self, kind: MountKind, namespace: usize) {
        for other in (0..NAMESPACES.len()).filter(|other| *other != namespace) {
            if self.waits(kind, other) {
                let passed = &mut self.turns[kind as usize][other].passed[namespace];
                assert!(!std::mem::replace(passed, true), "it went twice before {}", NAMESPACES[other]);
            }
        }
        self.begin_turn(kind, namespace);
    }

    fn refuse(&mut self, which: usize, retry_after: Option<Duration>, jitter: f64) {
        let Sent { request, namespace, arrival } = self.in_flight.swap_remove(which % self.in_flight.len());
        self.limiter.refused(request, self.now, retry_after, jitter);
        self.refused.push_back((namespace, arrival));
        let named = retry_after.unwrap_or(FIRST_BACKOFF).min(Duration::from_secs(300));
        // The limiter's own backoff ends at half a minute.
        let longest = named.max(Duration::from_secs(30));
        let jitter = (longest / 4).max(Duration::from_millis(250));
        self.named = self.named.max(Some(self.now + named));
        self.open_again = self.open_again.max(Some(self.now + longest + jitter));
    }

    /// Sends what the limiter returns, and checks that the model agrees.
    fn send_all(&mut self) {
        self.announced = None;
        loop {
            match self.limiter.next(self.now) {
                Next::Go(ticket) => self.send(ticket),
                Next::Idle => {
                    assert!(self.waiting.is_empty(), "one waits, and is not known");
                    return;
                }
                Next::WhenAnswered => {
                    assert_eq!(self.in_flight.len(), MAX_IN_FLIGHT, "one waits, and may go");
                    return;
                }
                Next::At(moment) => {
                    self.check_wait(moment);
                    self.announced = Some(moment);
                    return;
                }
            }
        }
    }

    fn send(&mut self, ticket: Ticket) {
        assert!(self.named.is_none_or(|named| named <= self.now), "asked before the moment that was named");
        let expected = self.first();
        assert_eq!(self.limiter.first(), Some(&self.waiting[expected].id), "another goes first");
        let waiting = self.waiting.remove(expected);
        assert_eq!(waiting.ticket, ticket);
        self.end_turn(ticket.kind(), waiting.namespace);
        let republish_waits = self.waiting.iter().any(|waiting| waiting.ticket.kind() == Republish);
        self.initial_in_a_row = match ticket.kind() {
            Initial if republish_waits => self.initial_in_a_row + 1,
            Initial | Republish => 0,
        };
        let (_, _, request) = self.limiter.send(self.now).expect("one waits");
        self.in_flight.push(Sent { request, namespace: waiting.namespace, arrival: ticket.arrival() });
        assert!(self.in_flight.len() <= MAX_IN_FLIGHT);
        let (tokens, _) = self.tokens();
        assert!(tokens >= 0.999, "more than the published limit: {tokens}");
        self.tokens = (tokens - 1.0, self.now);
        self.last_sent = Some(self.now);
    }

    /// Returns which request goes next: one of an initial mount, but after three of them one of a republish. Of a kind
    /// it is the oldest of the namespace whose turn it is.
    fn first(&self) -> usize {
        let first = |kind: MountKind| {
            let of_kind =
                self.waiting.iter().enumerate().filter(|(_, waiting)| waiting.ticket.kind() == kind);
            let turns = &self.turns[kind as usize];
            let place =
                |waiting: &Waiting| (turns[waiting.namespace].number, waiting.ticket.arrival(), waiting.id);
            of_kind.min_by_key(|(_, waiting)| place(waiting)).map(|(index, _)| index)
        };
        let (initial, republish) = (first(Initial), first(Republish));
        let aged = republish.filter(|_| self.initial_in_a_row >= 3);
        aged.or(initial).or(republish).expect("one waits")
    }

    /// Checks that a wait has a reason, and an end.
    fn check_wait(&self, moment: Instant) {
        assert!(moment > self.now, "it may go already");
        assert!(!self.waiting.is_empty());
        let (tokens, refilled) = self.tokens();
        let published = refilled + Duration::from_secs_f64((1.0 - tokens).max(0.0) / PER_SECOND);
        if self.named.is_none() {
            assert!(tokens < 1.001, "it waits, and nothing was refused: {tokens} more may go");
        }
        let paced = self.last_sent.map_or(self.now, |sent| sent + MAX_PAUSE);
        let latest = published.max(paced).max(self.open_again.unwrap_or(self.now));
        assert!(moment <= latest + Duration::from_millis(1), "it waits for {:?}", moment - self.now);
    }

    fn tokens(&self) -> (f64, Instant) {
        let (tokens, since) = self.tokens;
        let more = self.now.duration_since(since).as_secs_f64() * PER_SECOND;
        ((tokens + more).min(BURST), self.now)
    }
}

proptest! {
    #[test]
    fn a_request_that_may_go_goes_and_none_before_the_vaults_moment(steps in steps()) {
        let mut model = Model::new();
        for step in steps {
            model.play(step);
        }
    }
}

proptest! {
    /// Whatever the vault answered before: if it refuses nothing from now on, the whole queue is sent within the time
    /// that the slowest rate takes.
    #[test]
    fn all_that_waits_goes_in_the_end(steps in steps()) {
        let mut model = Model::new();
        for step in steps {
            model.play(step);
        }
        let number = u32::try_from(model.waiting.len()).expect("a few thousand");
        let latest = model.now.max(model.open_again.unwrap_or(model.now)) + MAX_PAUSE * (number + 1);
        while !model.waiting.is_empty() {
            model.play(Step::Answer { which: 0, number: MAX_IN_FLIGHT });
            model.play(Step::AdvanceToNext);
        }
        prop_assert!(model.now <= latest);
    }
}

//! What Azure does meanwhile: one fault after the other, with good times between them, and rotations all the time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use akv_emulator::{Fault, Route, Service};
use tokio::time::sleep;

use crate::azure::{Azure, OBJECTS, VAULT, secret_name, secret_value};

/// How long a fault is in force, and how long none is after it.
const BAD: Duration = Duration::from_secs(2);
const GOOD: Duration = Duration::from_secs(3);

/// All faults once.
pub(crate) const ROUND: Duration = Duration::from_secs(5 * FAULTS as u64);

const FAULTS: usize = 12;

/// Mounts that began while a fault was in force, or so long after it, may fail for it: those before them hold the line.
const AFTERMATH: Duration = Duration::from_secs(16);

/// How old what a new pod gets may be: a read that went out less than a second ago is joined, and takes a while.
const JOINED: Duration = Duration::from_secs(3);

pub(crate) struct FaultSchedule {
    azure: Rc<Azure>,
    on: Cell<bool>,
    /// Faults and when they ended; the last may still be in force.
    faults: RefCell<Vec<(&'static str, Option<Instant>)>>,
    restarted: Cell<Option<Instant>>,
    /// When each secret got its further versions.
    rotations: RefCell<Vec<Vec<Instant>>>,
}

impl FaultSchedule {
    pub(crate) fn new(azure: Rc<Azure>) -> Self {
        Self {
            azure,
            on: Cell::new(true),
            faults: RefCell::default(),
            restarted: Cell::default(),
            rotations: RefCell::new(vec![Vec::new(); OBJECTS]),
        }
    }

    pub(crate) fn on(&self) -> bool {
        self.on.get()
    }

    pub(crate) fn start(&self) {
        self.on.set(true);
    }

    pub(crate) fn stop(&self) {
        self.on.set(false);
    }

    /// One of the providers is about to be restarted.
    pub(crate) fn restarting(&self) {
        self.restarted.set(Some(Instant::now()));
    }

    /// Until it is over.
    pub(crate) async fn change(&self) {
        for number in (0..FAULTS).cycle() {
            let (name, route, fault) = fault(number, self.azure.journal().connections());
            let id = self.azure.faults().inject(route, fault);
            self.faults.borrow_mut().push((name, None));
            self.pass(BAD).await;
            self.azure.faults().remove(id);
            if let Some((_, end)) = self.faults.borrow_mut().last_mut() {
                *end = Some(Instant::now());
            }
            self.pass(GOOD).await;
            if !self.on() {
                return;
            }
        }
    }

    /// A while in which two secrets a second are rotated.
    async fn pass(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && self.on() {
            let object = fastrand::usize(..OBJECTS);
            let version = self.rotations.borrow()[object].len() + 1;
            let value = format!("{} v{version}", secret_value(object));
            self.azure.vaults().put_secret(VAULT, &secret_name(object), &value);
            self.rotations.borrow_mut()[object].push(Instant::now());
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// What a failure of a mount that began at `begin` is to be put down to.
    pub(crate) fn cause(&self, begin: Instant, restarts: bool) -> Option<&'static str> {
        if restarts && self.restarted.get().is_some_and(|at| at + AFTERMATH > begin) {
            return Some("its provider was restarted");
        }
        let faults = self.faults.borrow();
        let at_work =
            faults.iter().rev().take_while(|(_, end)| end.is_none_or(|end| end + AFTERMATH > begin));
        // The latest that had begun is the likeliest.
        at_work.map(|(name, _)| *name).next()
    }

    /// Whether a secret's text is one that a mount may have got which began at `begin`.
    pub(crate) fn is_fresh(&self, object: usize, text: &str, begin: Instant, new_pod: bool) -> bool {
        let Some(rest) = text.strip_prefix(&secret_value(object)) else { return false };
        let got = rest.strip_prefix(" v").map_or(Some(0), |version| version.parse().ok());
        let allowed = if new_pod { JOINED } else { JOINED + Duration::from_secs(10) };
        let rotations = self.rotations.borrow();
        let at_least = rotations[object].iter().filter(|at| **at + allowed < begin).count();
        got.is_some_and(|got: usize| (at_least..=rotations[object].len()).contains(&got))
    }
}

/// A fault by its number. `known` connections have been made so far.
fn fault(number: usize, known: u64) -> (&'static str, Route, Fault) {
    let reads = || Route::service(Service::Vault).credentials(true);
    let some = |every: u32| reads().matching(move |_| fastrand::u32(..every) == 0);
    let token = Route::token_endpoint;
    match number {
        0 => ("the vault answers 503", reads(), Fault::status(503)),
        1 => ("the vault throttles", some(4), Fault::throttled(1)),
        2 => ("the vault resets connections", some(3), Fault::Reset),
        3 => ("the vault hangs", some(5), Fault::Hang),
        4 => ("the vault hangs in its answers", some(5), Fault::HangInBody),
        5 => ("the vault cuts its answers", some(3), Fault::CutBody { after: 10 }),
        6 => ("the vault answers with 200 MB", some(5), Fault::UnannouncedBody(200_000_000)),
        7 => ("all connections die", reads().matching(move |head| head.connection < known), Fault::Drop),
        8 => ("Entra answers 503", token(), Fault::status(503)),
        9 => ("Entra hangs", token(), Fault::Hang),
        10 => ("tokens are revoked", some(10), Fault::status(401)),
        _ => (
            "the vault answers what is not JSON",
            some(10),
            Fault::InvalidBody { content_type: "text/html".to_owned(), body: "<html>".into() },
        ),
    }
}

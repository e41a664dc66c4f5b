//! The faults of Azure during the soak: one after the other with pauses, while secrets are rotated all the time.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use akv_emulator::{Fault, Route, Service};
use tokio::time::sleep;

use crate::azure::{Azure, OBJECTS, VAULT, secret_name, secret_value};

/// How long a fault is active, and how long the pause after it is.
const BAD: Duration = Duration::from_secs(2);
const GOOD: Duration = Duration::from_secs(3);

/// The time in which all faults happen once.
pub(crate) const ROUND: Duration = Duration::from_secs(5 * FAULTS as u64);

const FAULTS: usize = 12;

/// A mount may fail because of a fault if it began while the fault was active, or this long after it. Earlier mounts
/// may have filled the mount queue.
const AFTERMATH: Duration = Duration::from_secs(16);

/// The highest age of a new pod's values: a mount joins a read that was sent less than a second before, and the read
/// takes time.
const JOINED: Duration = Duration::from_secs(3);

pub(crate) struct FaultSchedule {
    azure: Rc<Azure>,
    on: Cell<bool>,
    /// Faults and their ends; the last one may still be active.
    faults: RefCell<Vec<(&'static str, Option<Instant>)>>,
    restarted: Cell<Option<Instant>>,
    /// The times of each secret's new versions.
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

    /// Records that a provider is about to be restarted.
    pub(crate) fn restarting(&self) {
        self.restarted.set(Some(Instant::now()));
    }

    /// Injects faults until the soak ends.
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

    /// Waits, and rotates two secrets a second meanwhile.
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

    /// Returns the fault that explains the failure of a mount which began at `begin`.
    pub(crate) fn cause(&self, begin: Instant, restarts: bool) -> Option<&'static str> {
        if restarts && self.restarted.get().is_some_and(|at| at + AFTERMATH > begin) {
            return Some("its provider was restarted");
        }
        let faults = self.faults.borrow();
        let at_work =
            faults.iter().rev().take_while(|(_, end)| end.is_none_or(|end| end + AFTERMATH > begin));
        // The latest fault is the most likely cause.
        at_work.map(|(name, _)| *name).next()
    }

    /// Returns whether a mount that began at `begin` may have got this value of a secret.
    pub(crate) fn is_fresh(&self, object: usize, text: &str, begin: Instant, new_pod: bool) -> bool {
        let Some(rest) = text.strip_prefix(&secret_value(object)) else { return false };
        let got = rest.strip_prefix(" v").map_or(Some(0), |version| version.parse().ok());
        let allowed = if new_pod { JOINED } else { JOINED + Duration::from_secs(10) };
        let rotations = self.rotations.borrow();
        let at_least = rotations[object].iter().filter(|at| **at + allowed < begin).count();
        got.is_some_and(|got: usize| (at_least..=rotations[object].len()).contains(&got))
    }
}

/// Returns a fault by its number. `known` connections have been made so far.
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

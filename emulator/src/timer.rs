//! Timers finer than tokio's, which count whole milliseconds. All alarms share one timer of the kernel, for which the
//! runtime waits as for a socket.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt,
    future::poll_fn,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// A set of alarms that wake tasks while [`ring`](Self::ring) runs. Clones share it.
#[derive(Clone)]
pub(crate) struct Alarms {
    shared: Arc<Shared>,
}

struct Shared {
    timer: AsyncFd<OwnedFd>,
    waiting: Mutex<BinaryHeap<Reverse<Waiting>>>,
}

struct Waiting {
    at: Instant,
    waker: Waker,
}

/// A task's alarm.
#[derive(Debug)]
pub(crate) struct Alarm {
    alarms: Alarms,
    set: Option<(Instant, Waker)>,
}

impl Alarms {
    /// Creates a set of alarms; must be called within a tokio runtime.
    pub(crate) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "sound for a descriptor that it owns; what replaces it is unsafe to call"
        )]
        let timer = AsyncFd::new(timer)?;
        let shared = Shared { timer, waiting: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Wakes waiting tasks at their times. Never completes while the runtime runs.
    pub(crate) async fn ring(self) {
        loop {
            // Waiting fails only when the runtime shuts down, which also ends this task.
            let Ok(mut ready) = self.shared.timer.readable().await else { return };
            // Reading rearms the timer's readiness. The number of expirations does not matter.
            let _ = rustix::io::read(&self.shared.timer, &mut [0; 8]);
            ready.clear_ready();
            for waker in self.due(Instant::now()) {
                waker.wake();
            }
        }
    }

    pub(crate) fn alarm(&self) -> Alarm {
        Alarm { alarms: self.clone(), set: None }
    }

    /// Waits this long; returns at once for zero.
    pub(crate) async fn pass(&self, delay: Duration) {
        let (until, mut alarm) = (Instant::now() + delay, self.alarm());
        poll_fn(|cx| alarm.poll(until, cx)).await;
    }

    /// Removes due alarms, and sets the timer for the next one.
    fn due(&self, now: Instant) -> Vec<Waker> {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        while waiting.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(waiting.pop().map(|Reverse(first)| first.waker));
        }
        if let Some(Reverse(first)) = waiting.peek() {
            self.set_timer(first.at - now);
        }
        due
    }

    fn wake(&self, at: Instant, waker: Waker) {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.peek().is_none_or(|Reverse(first)| at < first.at) {
            self.set_timer(at.saturating_duration_since(Instant::now()));
        }
        waiting.push(Reverse(Waiting { at, waker }));
    }

    fn set_timer(&self, after: Duration) {
        // Zero would disarm the timer.
        let after = after.max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(after).expect("a delay has fewer seconds than an i64 counts");
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Itimerspec { it_interval, it_value };
        timerfd_settime(&self.shared.timer, TimerfdTimerFlags::empty(), &value)
            .expect("the timer is open, and the time is one");
    }
}

impl Alarm {
    /// Is ready from `at` on.
    pub(crate) fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= at {
            self.set = None;
            return Poll::Ready(());
        }
        let is_set =
            self.set.as_ref().is_some_and(|(moment, waker)| *moment == at && waker.will_wake(cx.waker()));
        if !is_set {
            self.set = Some((at, cx.waker().clone()));
            self.alarms.wake(at, cx.waker().clone());
        }
        Poll::Pending
    }
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alarms").finish_non_exhaustive()
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_alarm_does_not_wake_before_its_time() {
        let alarms = Alarms::new().expect("the kernel has timers");
        let ringing = tokio::spawn(alarms.clone().ring());
        for delay in [0, 1, 700, 1500].map(Duration::from_micros) {
            let begin = Instant::now();
            alarms.pass(delay).await;
            assert!(begin.elapsed() >= delay, "{:?}", begin.elapsed());
        }
        ringing.abort();
    }

    #[tokio::test]
    async fn an_alarm_that_is_set_later_may_wake_earlier() {
        let alarms = Alarms::new().expect("the kernel has timers");
        let ringing = tokio::spawn(alarms.clone().ring());
        let hour = alarms.pass(Duration::from_secs(3600));
        let moment = async {
            tokio::task::yield_now().await;
            alarms.pass(Duration::from_millis(1)).await;
        };
        tokio::select! {
            biased;
            () = hour => panic!("an hour has not passed"),
            () = moment => {}
        }
        ringing.abort();
    }
}

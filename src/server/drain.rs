//! The shutdown of a server: running mounts finish, and new ones are refused at once.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

/// A tracker of running mounts that refuses new ones once the server stops. Clones share it.
///
/// The driver's calls would wait for a closed socket, up to kubelet's two minutes. A refusal ends them at once.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    mounts: TaskTracker,
    stopping: CancellationToken,
    refusals: Arc<Notify>,
}

/// A guard that counts a mount as running until it is dropped.
#[derive(Debug)]
pub(super) struct RunningMount {
    _token: TaskTrackerToken,
}

impl Drain {
    /// Returns a guard for a new mount; `None` if the server stops.
    pub(super) fn begin_mount(&self) -> Option<RunningMount> {
        // Counted before the check, so that a mount that passes the check is always awaited.
        let token = self.mounts.token();
        if self.stopping.is_cancelled() {
            drop(token);
            self.refusals.notify_one();
            return None;
        }
        Some(RunningMount { _token: token })
    }

    /// Refuses all further mounts. Returns the number of running ones.
    pub(super) fn stop(&self) -> usize {
        self.stopping.cancel();
        self.mounts.close();
        self.mounts.len()
    }

    /// Waits until all running mounts have ended. Call [`Self::stop`] first.
    pub(super) async fn ended(&self) {
        self.mounts.wait().await;
    }

    /// Waits until a mount was refused.
    pub(super) async fn refused(&self) {
        self.refusals.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_stopping_server_refuses_new_mounts_and_awaits_running_ones() {
        let drain = Drain::default();
        let running = drain.begin_mount().unwrap();
        assert_eq!(drain.stop(), 1);
        assert!(drain.refused().now_or_never().is_none());
        assert!(drain.begin_mount().is_none());
        assert!(drain.refused().now_or_never().is_some());
        assert!(drain.ended().now_or_never().is_none());
        drop(running);
        assert!(drain.ended().now_or_never().is_some());
    }
}

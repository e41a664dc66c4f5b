//! The order in which mounts that arrive together begin.

use tokio::{sync::Semaphore, task};

/// Lets one mount begin at a time, each after everything else that is ready has run. Otherwise the requests of the first
/// mount of a burst would be sent after the last one was parsed.
#[derive(Debug)]
pub(super) struct Turnstile(Semaphore);

impl Turnstile {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(1))
    }

    /// Waits for a turn.
    pub(super) async fn pass(&self) {
        // It is never closed.
        let _turn = self.0.acquire().await;
        task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn the_requests_of_a_mount_are_sent_before_the_next_mount_begins() {
        let (turnstile, log) = (Arc::new(Turnstile::new()), Arc::new(Mutex::new(Vec::new())));
        let mounts = (0..3).map(|mount| {
            let (turnstile, log) = (turnstile.clone(), log.clone());
            task::spawn(async move {
                turnstile.pass().await;
                log.lock().unwrap().push(format!("{mount} begins"));
                // As a connection's task sends what the mount's task hands over.
                let sent = log.clone();
                task::spawn(async move { sent.lock().unwrap().push(format!("{mount} sent")) }).await.unwrap();
            })
        });
        futures::future::try_join_all(mounts.collect::<Vec<_>>()).await.unwrap();
        let expected = ["0 begins", "0 sent", "1 begins", "1 sent", "2 begins", "2 sent"];
        assert_eq!(*log.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn a_mount_that_is_given_up_leaves_its_turn_to_the_next() {
        let turnstile = Turnstile::new();
        let mut mounts: Vec<_> = (0..3).map(|_| Box::pin(turnstile.pass())).collect();
        for mount in &mut mounts {
            assert!(poll!(mount).is_pending());
        }
        let last = mounts.pop().unwrap();
        drop(mounts);
        last.await;
    }
}

//! A bounded number of futures at once, each made when it may run.

use std::future::Future;

use futures::{StreamExt, stream::FuturesUnordered};

/// Futures of which a bounded number exists. A mount can have thousands of reads, and each takes a KiB before it begins.
pub(super) struct InFlight<F, N> {
    running: FuturesUnordered<F>,
    make_next: N,
    most: usize,
}

impl<F: Future, N: FnMut() -> Option<F>> InFlight<F, N> {
    /// Returns the futures that `make_next` makes, of which at most this many exist.
    pub(super) fn new(most: usize, make_next: N) -> Self {
        Self { running: FuturesUnordered::new(), make_next, most }
    }

    /// Returns the output of the next future that ends; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<F::Output> {
        while self.running.len() < self.most
            && let Some(next) = (self.make_next)()
        {
            self.running.push(next);
        }
        self.running.next().await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures::{FutureExt, executor::block_on};

    use super::*;

    #[test]
    fn a_future_is_made_when_it_may_run() {
        let made = Cell::new(0);
        let (end, ended) = futures::channel::oneshot::channel::<()>();
        let ended = ended.shared();
        let mut in_flight = InFlight::new(3, || {
            made.set(made.get() + 1);
            (made.get() <= 5).then(|| ended.clone())
        });
        assert!(in_flight.next().now_or_never().is_none());
        assert_eq!(made.get(), 3);
        end.send(()).unwrap();
        let outputs = block_on(async {
            let mut outputs = 0;
            while in_flight.next().await.is_some() {
                outputs += 1;
            }
            outputs
        });
        assert_eq!(outputs, 5);
    }
}

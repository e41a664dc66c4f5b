//! The pods that only want their secrets.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{task::JoinHandle, time::sleep};

use crate::{azure::Azure, driver::Driver, pods::Pod};

/// Honest pods, each with an identity of its own.
const PODS: usize = 10;

/// Objects of each mount.
const OBJECTS: usize = 20;

/// The pause between two pods. All of them read fewer than the 250 objects a second that a vault allows in the long run.
const PAUSE: Duration = Duration::from_secs(1);

/// The most failures whose text is kept.
const MAX_FAILURES: usize = 5;

/// The times of honest mounts. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct HonestPods(Rc<RefCell<Times>>);

#[derive(Default)]
pub(crate) struct Times {
    /// Of each mount, successful or not.
    took: Vec<Duration>,
    pub(crate) failed: usize,
    pub(crate) failures: Vec<String>,
}

impl HonestPods {
    /// Mounts as new pods until the tasks are aborted.
    pub(crate) fn mount(&self, azure: &Rc<Azure>, driver: &Driver) -> Vec<JoinHandle<()>> {
        let pods = (0..PODS).map(|number| {
            let (azure, mut driver, times) = (azure.clone(), driver.clone(), self.0.clone());
            tokio::task::spawn_local(async move {
                loop {
                    let request = Pod::new(&azure, number).request(OBJECTS);
                    let begin = Instant::now();
                    let result = driver.mount(request, OBJECTS).await;
                    times.borrow_mut().add(begin.elapsed(), result.err().map(|error| error.to_string()));
                    sleep(PAUSE).await;
                }
            })
        });
        pods.collect()
    }

    /// Returns the times since the last call.
    pub(crate) fn take(&self) -> Times {
        self.0.take()
    }
}

impl Times {
    fn add(&mut self, took: Duration, failure: Option<String>) {
        self.took.push(took);
        self.failed += usize::from(failure.is_some());
        self.failures.extend(failure.filter(|_| self.failures.len() < MAX_FAILURES));
    }

    pub(crate) fn count(&self) -> usize {
        self.took.len()
    }

    /// Returns a percentile in milliseconds.
    pub(crate) fn percentile(&self, percent: usize) -> String {
        let mut sorted = self.took.clone();
        sorted.sort();
        let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(index).map_or_else(|| "-".to_owned(), |took| took.as_millis().to_string())
    }
}

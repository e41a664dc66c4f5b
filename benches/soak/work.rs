//! Workers that mount for new pods and republish volumes.

use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

use akv_provider::proto::MountResponse;
use tokio::time::sleep;

use crate::{
    Drivers,
    azure::{Azure, PRINCIPALS},
    fault_schedule::FaultSchedule,
    pods::Pod,
    record::{Outcome, Record},
};

/// The pause between two mounts of a worker.
const PAUSE: Duration = Duration::from_millis(40);

/// Pods of a worker at one time.
const PODS: usize = 10;

pub(crate) struct Worker {
    number: usize,
    azure: Rc<Azure>,
    faults: Rc<FaultSchedule>,
    drivers: Drivers,
    record: Rc<RefCell<Record>>,
    /// With the number of their objects.
    pods: VecDeque<(Pod, usize)>,
}

impl Worker {
    pub(crate) fn new(
        number: usize,
        azure: Rc<Azure>,
        faults: Rc<FaultSchedule>,
        drivers: Drivers,
        record: Rc<RefCell<Record>>,
    ) -> Self {
        Self { number, azure, faults, drivers, record, pods: VecDeque::new() }
    }

    pub(crate) async fn run(mut self) {
        while self.faults.on() {
            let outcome = self.mount().await;
            self.record.borrow_mut().add(outcome);
            sleep(PAUSE).await;
        }
    }

    /// A quarter of the mounts are those of new pods.
    async fn mount(&mut self) -> Outcome {
        let new = self.pods.is_empty() || fastrand::u32(..4) == 0;
        let (pod, objects) = match (new, self.pods.len()) {
            (false, pods) => self.pods[fastrand::usize(..pods)].clone(),
            // A pod with a new service-account token, or a replica of an existing pod.
            (true, pods) => {
                let pod = match pods {
                    1.. if fastrand::bool() => self.pods[fastrand::usize(..pods)].0.sibling(&self.azure),
                    _ => Pod::new(&self.azure, (self.number * 6 + fastrand::usize(..6)) % PRINCIPALS),
                };
                (pod, [1, 5, 20][fastrand::usize(..3)])
            }
        };
        // One in five mounts goes to the second provider, which is restarted at times.
        let other = fastrand::u32(..5) == 0;
        let mut driver = self.drivers.borrow()[usize::from(other)].clone();
        let begin = Instant::now();
        match driver.call(pod.request(objects)).await {
            // A provider that has not seen the volume before treats it as new.
            Ok(answer) => {
                if new {
                    self.pods.push_back((pod, objects));
                    self.pods.drain(..self.pods.len().saturating_sub(PODS));
                }
                if self.is_right(&answer, objects, begin, new) { Outcome::Mounted } else { Outcome::Wrong }
            }
            Err(error) => {
                let text = error.to_string();
                let code = text.split(':').next().unwrap_or_default().to_owned();
                match self.faults.cause(begin, other) {
                    Some(cause) => Outcome::Failed { cause, code, took: begin.elapsed() },
                    None => Outcome::Unexplained(text),
                }
            }
        }
    }

    fn is_right(&self, answer: &MountResponse, objects: usize, begin: Instant, new: bool) -> bool {
        let right = (0..objects).all(|object| {
            let file = answer.files.iter().find(|file| file.path == crate::azure::secret_name(object));
            let text = file.and_then(|file| std::str::from_utf8(&file.contents).ok());
            text.is_some_and(|text| self.faults.is_fresh(object, text, begin, new))
        });
        right && answer.files.len() == objects
    }
}

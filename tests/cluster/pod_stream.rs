//! A new pod each second, and how long each takes until it runs.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    environment::{APPS, list},
    error::StepError,
    kubectl::Kubectl,
    objects, wait,
};

/// The longest time that a pod may take until it runs.
const MAX_START: Duration = Duration::from_secs(60);
const LABEL: &str = "akv-acceptance/stream";

/// A running stream of pods. Dropping it ends the stream.
pub(crate) struct PodStream {
    state: Arc<Mutex<State>>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The pods since the last summary.
#[derive(Default)]
struct State {
    next: u64,
    /// The pods that do not run yet.
    waiting: BTreeMap<String, Instant>,
    started: Vec<Start>,
    refused: Vec<String>,
}

/// A pod, and the time from its creation until its container ran, in the API server's and kubelet's clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Start {
    pod: String,
    after: Duration,
}

/// The pods of a part of the run.
pub(crate) struct Summary {
    pods: usize,
    slowest: Duration,
}

impl PodStream {
    /// Begins to create pods that mount a class.
    pub(crate) fn start(kubectl: &Kubectl, class: &str, image: &str) -> Self {
        let state = Arc::<Mutex<State>>::default();
        let ended = Arc::<AtomicBool>::default();
        let create = {
            let (kubectl, state, ended) = (kubectl.clone(), Arc::clone(&state), Arc::clone(&ended));
            let (class, image) = (class.to_owned(), image.to_owned());
            move || every_second(&ended, || create(&kubectl, &state, &class, &image))
        };
        let collect = {
            let (kubectl, state, ended) = (kubectl.clone(), Arc::clone(&state), Arc::clone(&ended));
            move || every_second(&ended, || collect(&kubectl, &state))
        };
        Self { state, ended, threads: vec![thread::spawn(create), thread::spawn(collect)] }
    }

    /// Waits until every pod that was created so far runs, and returns those since the last summary. The error names the
    /// pods that took too long, and the pods that the API server did not take.
    pub(crate) fn summary(&self) -> Result<Summary, StepError> {
        let created = lock(&self.state).next;
        wait::until("the stream's pods", 4 * MAX_START, || {
            let state = lock(&self.state);
            let oldest = state.waiting.iter().find(|(pod, _)| number(pod) < created);
            Ok(match oldest {
                None => Ok(()),
                Some((pod, since)) => Err(format!("{pod} waits for {} s", since.elapsed().as_secs())),
            })
        })?;
        let mut state = lock(&self.state);
        let refused = std::mem::take(&mut state.refused);
        let (before, after) =
            std::mem::take(&mut state.started).into_iter().partition(|start| number(&start.pod) < created);
        state.started = after;
        summarize(before, &refused)
    }
}

impl Drop for PodStream {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has left its message on standard error.
            let _ = thread.join();
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} new pods, the slowest ran after {} s", self.pods, self.slowest.as_secs())
    }
}

fn every_second(ended: &AtomicBool, mut act: impl FnMut()) {
    while !ended.load(Ordering::Relaxed) {
        let start = Instant::now();
        act();
        thread::sleep(Duration::from_secs(1).saturating_sub(start.elapsed()));
    }
}

fn create(kubectl: &Kubectl, state: &Mutex<State>, class: &str, image: &str) {
    let pod = {
        let mut state = lock(state);
        let pod = name(state.next);
        state.next += 1;
        state.waiting.insert(pod.clone(), Instant::now());
        pod
    };
    let mut object = objects::pod(&pod, class, image);
    object["metadata"]["labels"] = json!({ LABEL: "true" });
    if let Err(error) = kubectl.run_with(&["create", "--filename=-"], &object.to_string()) {
        let mut state = lock(state);
        state.waiting.remove(&pod);
        state.refused.push(error.to_string());
    }
}

/// Takes note of the pods that run, and deletes them.
fn collect(kubectl: &Kubectl, state: &Mutex<State>) {
    // A request that fails is made again a second later, and the times are those of the cluster.
    let Ok(pods) = kubectl.get(&["pods", "--namespace", APPS, "--selector", LABEL]) else { return };
    let started: Vec<Start> = list(&pods).filter_map(start_of).collect();
    let fresh: Vec<Start> = {
        let mut state = lock(state);
        let fresh = started.into_iter().filter(|start| state.waiting.remove(&start.pod).is_some());
        let fresh: Vec<Start> = fresh.collect();
        state.started.extend(fresh.iter().cloned());
        fresh
    };
    if !fresh.is_empty() {
        let names = fresh.iter().map(|start| start.pod.as_str());
        let arguments = ["delete", "pod", "--namespace", APPS, "--wait=false"];
        // A pod that is left is deleted with the namespace.
        let _ = kubectl.run(&arguments.into_iter().chain(names).collect::<Vec<_>>());
    }
}

fn start_of(pod: &Value) -> Option<Start> {
    let time = |value: &Value| OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok();
    let running = &pod["status"]["containerStatuses"][0]["state"]["running"];
    let after = time(&running["startedAt"])? - time(&pod["metadata"]["creationTimestamp"])?;
    let after = Duration::try_from(after).unwrap_or_default();
    Some(Start { pod: pod["metadata"]["name"].as_str()?.to_owned(), after })
}

fn summarize(starts: Vec<Start>, refused: &[String]) -> Result<Summary, StepError> {
    if let Some(first) = refused.first() {
        return Err(StepError::Unexpected(format!("{} pods were not created: {first}", refused.len())));
    }
    let late: Vec<String> = starts
        .iter()
        .filter(|start| start.after > MAX_START)
        .map(|start| format!("{} after {} s", start.pod, start.after.as_secs()))
        .collect();
    if !late.is_empty() {
        return Err(StepError::Unexpected(format!("{} pods ran too late: {}", late.len(), late.join(", "))));
    }
    let slowest = starts.iter().map(|start| start.after).max();
    match slowest {
        Some(slowest) => Ok(Summary { pods: starts.len(), slowest }),
        None => Err(StepError::Unexpected("the stream has created no pod".to_owned())),
    }
}

fn name(number: u64) -> String {
    format!("stream-{number:05}")
}

fn number(pod: &str) -> u64 {
    pod.rsplit_once('-').and_then(|(_, number)| number.parse().ok()).unwrap_or(u64::MAX)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(number: u64, seconds: u64) -> Start {
        Start { pod: name(number), after: Duration::from_secs(seconds) }
    }

    #[test]
    fn a_start_is_read_from_the_clusters_own_times() {
        let mut pod = json!({
            "metadata": { "name": "stream-00007", "creationTimestamp": "2026-01-01T10:00:00Z" },
            "status": { "containerStatuses": [{ "state": { "waiting": { "reason": "ContainerCreating" } } }] },
        });
        assert_eq!(start_of(&pod), None);
        pod["status"]["containerStatuses"][0]["state"] =
            json!({ "running": { "startedAt": "2026-01-01T10:00:04Z" } });
        assert_eq!(start_of(&pod), Some(start(7, 4)));
    }

    #[test]
    fn a_pod_after_its_time_or_none_at_all_fails_the_step() {
        let summary = summarize(vec![start(1, 3), start(2, 60)], &[]).expect("both are in time");
        assert_eq!(summary.to_string(), "2 new pods, the slowest ran after 60 s");
        for (starts, refused, expected) in [
            (vec![start(1, 61), start(2, 3)], vec![], "1 pods ran too late: stream-00001 after 61 s"),
            (vec![start(1, 3)], vec!["no route".to_owned()], "1 pods were not created: no route"),
            (vec![], vec![], "the stream has created no pod"),
        ] {
            let error = summarize(starts, &refused).err().expect(expected);
            assert_eq!(error.to_string(), expected);
        }
    }
}

//! The result of a trial: objects, files and the message that the pod would get.

use serde::Serialize;
use tonic::Status;

use crate::{
    failure::FailureCode,
    proto::{File, MountResponse, ObjectVersion},
};

use super::{
    kind,
    phase::{Blame, Phase},
    step::{Outcome, Step, Steps},
};

/// An object as its vault answered.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ObjectReport {
    /// Type and name: `secret/db-password`.
    pub(super) id: String,
    /// The HTTP status of the newest answer; `None` if there was none.
    pub(super) status: Option<u16>,
    /// The versions that the pod gets, the newest first.
    pub(super) versions: Vec<String>,
    /// The length of the newest answer, in bytes.
    pub(super) bytes: usize,
    /// The requests, with their repetitions.
    pub(super) requests: usize,
    /// The time of the newest answer, in milliseconds.
    pub(super) milliseconds: u128,
}

/// A file as the pod would see it, without its contents.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FileReport {
    /// Relative to the volume's root.
    pub(super) path: String,
    /// The permission bits, in octal.
    pub(super) mode: String,
    /// The kind of its contents.
    pub(super) kind: String,
    /// The length of its contents.
    pub(super) bytes: usize,
}

/// A failed mount.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct FailureReport {
    /// The stable code, such as `AKV-NotFound`.
    pub(super) code: Option<&'static str>,
    /// The gRPC code.
    pub(super) grpc: String,
    /// The phase that failed.
    pub(super) phase: Phase,
    /// The host that the phase was for, if there is one.
    pub(super) host: Option<String>,
    /// The message that the pod would get.
    pub(super) message: String,
}

impl ObjectReport {
    /// Returns the objects that were read, in the order of their first answers.
    pub(super) fn all_of(steps: &[Step], versions: &[ObjectVersion]) -> Vec<Self> {
        let mut objects: Vec<Self> = Vec::new();
        for step in steps.iter().filter(|step| step.phase == Phase::Read) {
            let (path, status, bytes) = match &step.outcome {
                Outcome::Answer { path, status, bytes, .. } => (path, Some(*status), *bytes),
                Outcome::NoAnswer { path, .. } => (path, None, 0),
                _ => continue,
            };
            let Some(id) = object_id(path) else { continue };
            let index = objects.iter().position(|object| object.id == id).unwrap_or_else(|| {
                objects.push(Self::unread(id, versions));
                objects.len() - 1
            });
            let object = &mut objects[index];
            object.requests += 1;
            (object.status, object.bytes, object.milliseconds) = (status, bytes, step.milliseconds);
        }
        objects
    }

    fn unread(id: String, versions: &[ObjectVersion]) -> Self {
        let is_of_object =
            |of: &str| of.strip_prefix(&id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let versions = versions
            .iter()
            .filter(|version| is_of_object(&version.id))
            .map(|version| version.version.clone())
            .collect();
        Self { id, status: None, versions, bytes: 0, requests: 0, milliseconds: 0 }
    }
}

/// Returns the object of a vault's path: `secret/a` for `/secrets/a/versions`.
fn object_id(path: &str) -> Option<String> {
    let mut parts = path.split('/').skip(1);
    let object_type = match parts.next()? {
        "secrets" => "secret",
        "keys" => "key",
        "certificates" => "cert",
        _ => return None,
    };
    Some(format!("{object_type}/{}", parts.next()?))
}

impl FileReport {
    /// Returns the files of an answer, in its order.
    pub(super) fn all_of(answer: &MountResponse) -> Vec<Self> {
        let report = |file: &File| Self {
            path: file.path.clone(),
            mode: format!("{:04o}", file.mode),
            kind: kind::of(&file.contents),
            bytes: file.contents.len(),
        };
        answer.files.iter().map(report).collect()
    }
}

impl FailureReport {
    /// Returns the failure that a status and the steps before it tell of.
    pub(super) fn of(status: &Status, steps: &Steps) -> Self {
        let code = FailureCode::ALL.iter().find(|code| status.message().starts_with(&format!("[{code}]")));
        let blame = code.map_or(Blame::Phase(Phase::Provider), |code| Blame::of(*code));
        let (phase, step) = match blame {
            Blame::Phase(phase) => (phase, steps.failed_of(phase, status.message())),
            Blame::Seen(default) => {
                let step = steps.blamed(status.message());
                (step.map_or(default, |step| step.phase), step)
            }
        };
        Self {
            code: code.map(|code| code.as_str()),
            grpc: format!("{:?}", status.code()),
            phase,
            host: step.map(|step| step.host.clone()),
            message: status.message().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::transport::{ConnectPhase, NetworkEvent, NetworkOutcome, RequestLine};

    use super::*;

    fn steps(outcomes: impl IntoIterator<Item = NetworkOutcome>) -> Steps {
        let mut steps = Steps::default();
        for outcome in outcomes {
            let host = "lab.vault.azure.net".to_owned();
            steps.add(NetworkEvent { host, outcome, elapsed: Duration::ZERO });
        }
        steps
    }

    fn answered(path: &str, authorized: bool, status: u16) -> NetworkOutcome {
        let request = RequestLine { method: "GET".to_owned(), path: path.to_owned(), authorized };
        NetworkOutcome::Answered { request, status, bytes: 7 }
    }

    #[test]
    fn objects_have_their_newest_answer_and_all_their_versions() {
        let steps = steps([
            answered("/secrets/a/", false, 401),
            answered("/secrets/a/versions", true, 200),
            answered("/secrets/a/v2", true, 503),
            answered("/secrets/a/v2", true, 200),
            answered("/certificates/b/", true, 404),
        ]);
        let version =
            |id: &str, version: &str| ObjectVersion { id: id.to_owned(), version: version.to_owned() };
        let versions = [version("secret/a/0", "v2"), version("secret/a/1", "v1"), version("secret/ab", "v9")];
        let objects = ObjectReport::all_of(steps.all(), &versions);
        let [a, b] = &objects[..] else { panic!("{objects:?}") };
        assert_eq!((a.id.as_str(), a.status, a.requests), ("secret/a", Some(200), 3));
        assert_eq!(a.versions, ["v2", "v1"]);
        assert_eq!((b.id.as_str(), b.status), ("cert/b", Some(404)));
    }

    #[test]
    fn a_code_with_several_phases_gets_the_one_that_was_seen() {
        let connect = |phase| NetworkOutcome::NotConnected { phase, error: "no".to_owned() };
        for (message, outcomes, phase) in [
            ("[AKV-NotFound] x", vec![answered("/secrets/a/", true, 404)], Phase::Read),
            ("[AKV-ConnectFailed] x", vec![connect(ConnectPhase::Tcp)], Phase::Tcp),
            ("[AKV-ConnectFailed] x", vec![connect(ConnectPhase::Tls)], Phase::Tls),
            ("[AKV-VaultDown] x", vec![answered("/secrets/a/", false, 503)], Phase::Challenge),
            ("[AKV-VaultDown] x", vec![answered("/secrets/a/", true, 503)], Phase::Read),
            ("[AKV-UnexpectedAnswer] x", vec![answered("/t/oauth2/v2.0/token", false, 200)], Phase::Token),
            ("[AKV-TimeoutToken] x", vec![], Phase::Token),
            ("[AKV-BadParameters] x", vec![], Phase::Class),
            ("another server's words", vec![], Phase::Provider),
        ] {
            let failure = FailureReport::of(&Status::not_found(message), &steps(outcomes));
            assert_eq!(failure.phase, phase, "{message}");
        }
    }
}

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
    /// The vault's host, with its port if the URL names one.
    pub(super) host: String,
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
            let known = objects.iter().position(|object| object.host == step.host && object.id == id);
            let index = known.unwrap_or_else(|| {
                objects.push(Self::unread(step.host.clone(), id));
                objects.len() - 1
            });
            let object = &mut objects[index];
            object.requests += 1;
            (object.status, object.bytes, object.milliseconds) = (status, bytes, step.milliseconds);
        }
        add_versions(&mut objects, versions);
        objects
    }

    fn unread(host: String, id: String) -> Self {
        Self { host, id, status: None, versions: Vec::new(), bytes: 0, requests: 0, milliseconds: 0 }
    }

    /// Returns whether a version has this object's id, with a place in its history or without.
    fn is_of(&self, version: &str) -> bool {
        version.strip_prefix(&self.id).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns whether a version has this object's id behind the name of its vault. A host is in lower case, and a name
    /// need not be.
    fn is_of_with_vault(&self, version: &str) -> bool {
        version.split_once('/').is_some_and(|(vault, version)| {
            let label = self.host.split('.').next().unwrap_or_default();
            label.eq_ignore_ascii_case(vault) && self.is_of(version)
        })
    }
}

/// Adds each version to its object. The id of a version has the name of the object's vault, unless the class's own vault
/// was read or its `failoverVault` after it.
fn add_versions(objects: &mut [ObjectReport], versions: &[ObjectVersion]) {
    let mut of_own_vault = Vec::new();
    for version in versions {
        match objects.iter_mut().find(|object| object.is_of_with_vault(&version.id)) {
            Some(object) => object.versions.push(version.version.clone()),
            None => of_own_vault.push(version),
        }
    }
    let named: Vec<bool> = objects.iter().map(|object| !object.versions.is_empty()).collect();
    for version in of_own_vault {
        let candidates = objects.iter_mut().zip(&named).filter(|(_, named)| !**named);
        // The second vault is read after the first.
        if let Some((object, _)) = candidates.rev().find(|(object, _)| object.is_of(&version.id)) {
            object.versions.push(version.version.clone());
        }
    }
}

/// Returns the object of a vault's path: `secret/a` for `/secrets/a/versions`, and `secret/*` for `/secrets`.
fn object_id(path: &str) -> Option<String> {
    let mut parts = path.split('/').skip(1);
    let object_type = match parts.next()? {
        "secrets" => "secret",
        "keys" => "key",
        "certificates" => "cert",
        _ => return None,
    };
    // A list of all objects of the type has no name.
    let name = parts.next().filter(|name| !name.is_empty()).unwrap_or("*");
    Some(format!("{object_type}/{name}"))
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
        steps_of_vaults(outcomes.into_iter().map(|outcome| ("lab", outcome)))
    }

    fn steps_of_vaults<'a>(outcomes: impl IntoIterator<Item = (&'a str, NetworkOutcome)>) -> Steps {
        let mut steps = Steps::default();
        for (vault, outcome) in outcomes {
            let host = format!("{vault}.vault.azure.net");
            steps.add(NetworkEvent { host, outcome, elapsed: Duration::ZERO });
        }
        steps
    }

    fn version(id: &str, version: &str) -> ObjectVersion {
        ObjectVersion { id: id.to_owned(), version: version.to_owned() }
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
        let versions = [version("secret/a/0", "v2"), version("secret/a/1", "v1"), version("secret/ab", "v9")];
        let objects = ObjectReport::all_of(steps.all(), &versions);
        let [a, b] = &objects[..] else { panic!("{objects:?}") };
        assert_eq!((a.id.as_str(), a.status, a.requests), ("secret/a", Some(200), 3));
        assert_eq!(a.versions, ["v2", "v1"]);
        assert_eq!((b.id.as_str(), b.status), ("cert/b", Some(404)));
    }

    #[test]
    fn objects_of_equal_names_belong_to_their_vaults() {
        let read = |vault, status| (vault, answered("/secrets/a/", true, status));
        let steps = steps_of_vaults([read("lab", 200), read("lab-2", 200), read("secret", 200)]);
        let versions = [
            version("Lab-2/secret/a/0", "v2"),
            version("Lab-2/secret/a/1", "v1"),
            version("secret/a", "v3"),
            version("secret/secret/a", "v4"),
        ];
        let objects = ObjectReport::all_of(steps.all(), &versions);
        let shown: Vec<_> = objects.iter().map(|object| (&object.host[..], &object.versions[..])).collect();
        assert_eq!(
            shown,
            [
                ("lab.vault.azure.net", &["v3".to_owned()][..]),
                ("lab-2.vault.azure.net", &["v2".to_owned(), "v1".to_owned()]),
                ("secret.vault.azure.net", &["v4".to_owned()]),
            ]
        );
    }

    #[test]
    fn versions_of_a_failover_vault_belong_to_it() {
        let read = |vault, status| (vault, answered("/secrets/a/", true, status));
        let steps = steps_of_vaults([read("lab", 503), read("lab-2", 200)]);
        let objects = ObjectReport::all_of(steps.all(), &[version("secret/a", "v1")]);
        let [first, second] = &objects[..] else { panic!("{objects:?}") };
        assert!(first.versions.is_empty());
        assert_eq!((second.status, &second.versions[..]), (Some(200), &["v1".to_owned()][..]));
    }

    #[test]
    fn a_code_with_several_phases_gets_the_one_that_was_seen() {
        let connect =
            |phase| NetworkOutcome::NotConnected { phase, error: "no".to_owned(), certificate: None };
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

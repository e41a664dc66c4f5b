//! The driver's side of the protocol: its requests, and its checks of answers.

use std::{
    collections::BTreeMap,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use akv_provider::proto::{MountRequest, MountResponse};
use tonic::Status;

use super::request::MountCall;

/// The stand-in for the driver, which also checks each answer as the real driver does.
#[derive(Clone)]
pub(crate) struct Driver(test_support::Driver);

impl Deref for Driver {
    type Target = test_support::Driver;

    fn deref(&self) -> &test_support::Driver {
        &self.0
    }
}

/// A volume that the driver accepted: path to mode and contents, and the versions by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    pub(crate) files: Vec<(String, i32, Vec<u8>)>,
    pub(crate) versions: Vec<(String, String)>,
}

impl Mounted {
    /// Returns a file's contents as text.
    pub(crate) fn text(&self, path: &str) -> &str {
        let (_, _, contents) = self
            .files
            .iter()
            .find(|(other, ..)| other == path)
            .unwrap_or_else(|| panic!("no file {path} in {:?}", self.paths()));
        std::str::from_utf8(contents).expect("the file is text")
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.files.iter().map(|(path, ..)| path.as_str()).collect()
    }
}

impl Driver {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self(test_support::Driver::on(&socket).expect("a socket's path"))
    }

    pub(crate) fn at(uri: String) -> Self {
        Self(test_support::Driver::at(uri).expect("a provider's URI"))
    }

    /// Mounts, and checks the answer as the real driver does.
    pub(crate) async fn mount(&self, call: &MountCall) -> Result<Mounted, Status> {
        self.send(call.request()).await
    }

    /// Like [`Self::mount`], with a request of any form.
    pub(crate) async fn send(&self, request: MountRequest) -> Result<Mounted, Status> {
        self.send_within(request, None).await
    }

    /// Like [`Self::send`], with a deadline for the call.
    pub(crate) async fn send_within(
        &self,
        request: MountRequest,
        deadline: Option<Duration>,
    ) -> Result<Mounted, Status> {
        let result = self.call_within(request, deadline).await;
        if let Err(status) = &result {
            assert_code_is_final(status);
        }
        Ok(accept(result?))
    }
}

/// Kubelet and the driver turn five codes into a pod that starts with an empty volume; no answer may have one.
fn assert_code_is_final(status: &Status) {
    use tonic::Code::{Aborted, Cancelled, DeadlineExceeded, ResourceExhausted, Unavailable};
    let forbidden = [Cancelled, DeadlineExceeded, Unavailable, ResourceExhausted, Aborted];
    assert!(
        !forbidden.contains(&status.code()),
        "{:?} is never to be answered: {}",
        status.code(),
        status.message()
    );
}

/// Checks an answer as the driver does before it writes a file.
fn accept(response: MountResponse) -> Mounted {
    assert!(response.error.is_none(), "an error without a text");
    assert!(!response.object_version.is_empty(), "missing object versions");
    let mut seen = BTreeMap::new();
    for file in &response.files {
        let path = Path::new(&file.path);
        let clean: PathBuf = path.components().collect();
        assert!(path.is_relative() && clean.as_os_str() == path.as_os_str(), "unclean path {:?}", file.path);
        assert!(
            !file.path.split('/').any(|element| element == ".." || element.starts_with("..")),
            "{:?}",
            file.path
        );
        if let Some(earlier) = seen.insert(file.path.clone(), &file.contents) {
            assert_eq!(*earlier, file.contents, "{:?} is there twice", file.path);
        }
    }
    Mounted {
        files: response.files.into_iter().map(|file| (file.path, file.mode, file.contents)).collect(),
        versions: response.object_version.into_iter().map(|object| (object.id, object.version)).collect(),
    }
}

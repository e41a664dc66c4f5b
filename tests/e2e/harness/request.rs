//! A `Mount` call, built as the driver builds it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};

use akv_provider::proto::MountRequest;
use serde_json::json;

use super::azure::Azure;

/// The workload identity of the emulator's directory.
const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";

/// A call for one volume of one pod.
#[derive(Clone)]
pub(crate) struct MountCall {
    attributes: BTreeMap<String, String>,
    secrets: String,
}

impl MountCall {
    /// Creates a call of pod `default/web-0` for these objects, without an identity.
    pub(crate) fn of(objects: &str) -> Self {
        let attributes = [
            ("csi.storage.k8s.io/pod.name", "web-0"),
            ("csi.storage.k8s.io/pod.namespace", "default"),
            ("csi.storage.k8s.io/pod.uid", "0b0b0b0b-0000-0000-0000-000000000000"),
            ("csi.storage.k8s.io/serviceAccount.name", "app"),
            ("csi.storage.k8s.io/ephemeral", "true"),
            ("keyvaultName", "lab"),
            ("tenantId", "11111111-2222-3333-4444-555555555555"),
            ("objects", objects),
        ];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Self { attributes, secrets: "null".to_owned() }
    }

    /// Creates a call for these secrets, as workload identity.
    pub(crate) fn of_secrets(azure: &Azure, names: &[&str]) -> Self {
        let objects = names.iter().fold("array:\n".to_owned(), |yaml, name| {
            yaml + &format!("- |\n  objectName: {name}\n  objectType: secret\n")
        });
        Self::of(&objects).workload(azure)
    }

    /// Sets workload identity, with the tokens of service account `default/app`.
    pub(crate) fn workload(self, azure: &Azure) -> Self {
        self.with("clientID", WORKLOAD)
            .with("csi.storage.k8s.io/serviceAccount.tokens", &azure.service_account_tokens("default", "app"))
    }

    /// Returns the call for an equal volume of another pod: an initial mount, and not a republish.
    pub(crate) fn of_another_pod(&self) -> Self {
        static PODS: AtomicU32 = AtomicU32::new(1);
        let pod = PODS.fetch_add(1, Ordering::Relaxed);
        self.clone().with("csi.storage.k8s.io/pod.uid", &format!("0b0b0b0b-0000-0000-0000-{pod:012}"))
    }

    /// Sets this attribute.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.attributes.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets this Secret of `nodePublishSecretRef`.
    pub(crate) fn with_secrets(mut self, secrets: &[(&str, &str)]) -> Self {
        self.secrets = json!(BTreeMap::from_iter(secrets.iter().copied())).to_string();
        self
    }

    pub(crate) fn request(&self) -> MountRequest {
        MountRequest {
            attributes: json!(self.attributes).to_string(),
            secrets: self.secrets.clone(),
            target_path: "/var/lib/kubelet/pods/0b0b0b0b/volumes/kubernetes.io~csi/secrets/mount".to_owned(),
            permission: "420".to_owned(),
            current_object_version: Vec::new(),
        }
    }
}

//! A SecretProviderClass, and the driver's call for it.

use std::{collections::BTreeMap, error::Error};

use akv_provider::proto::MountRequest;
use serde::Deserialize;
use serde_json::json;

use super::azure::Azure;

pub(crate) struct Class {
    parameters: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Document {
    kind: String,
    #[serde(default)]
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    parameters: BTreeMap<String, String>,
}

impl Class {
    /// Parses the SecretProviderClass among the documents of a manifest.
    pub(crate) fn parse(manifest: &str) -> Result<Self, Box<dyn Error>> {
        let documents: Vec<Document> = serde_saphyr::from_multiple(manifest)?;
        let class = documents.into_iter().find(|document| document.kind == "SecretProviderClass");
        let spec = class.and_then(|class| class.spec).ok_or("the manifest has no SecretProviderClass")?;
        Ok(Self { parameters: spec.parameters })
    }

    pub(crate) fn with_objects(mut self, objects: &str) -> Self {
        self.parameters.insert("objects".to_owned(), objects.to_owned());
        self
    }

    pub(crate) fn summary(&self) -> String {
        let get = |key: &str| self.parameters.get(key).map(String::as_str).unwrap_or_default();
        format!("vault {}, tenant {}", get("keyvaultName"), get("tenantID"))
    }

    /// Returns the driver's request for a volume of pod `default/web-0`.
    pub(crate) fn request(&self, azure: &Azure) -> MountRequest {
        let mut attributes = self.parameters.clone();
        let tokens = azure.service_account_tokens("default", "app");
        for (key, value) in [
            ("csi.storage.k8s.io/pod.name", "web-0"),
            ("csi.storage.k8s.io/pod.namespace", "default"),
            ("csi.storage.k8s.io/pod.uid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
            ("csi.storage.k8s.io/serviceAccount.name", "app"),
            ("csi.storage.k8s.io/serviceAccount.tokens", tokens.as_str()),
        ] {
            attributes.insert(key.to_owned(), value.to_owned());
        }
        // The Secret of nodePublishSecretRef; only a service principal uses it.
        let secrets =
            json!({ "clientid": "dddddddd-0000-0000-0000-000000000003", "clientsecret": "s3cr3t~value" });
        MountRequest {
            attributes: json!(attributes).to_string(),
            secrets: secrets.to_string(),
            target_path: "/var/lib/kubelet/pods/6ba7b810/volumes/kubernetes.io~csi/secrets-store/mount"
                .to_owned(),
            permission: "420".to_owned(),
            current_object_version: Vec::new(),
        }
    }
}

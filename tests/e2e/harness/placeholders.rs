//! The request of a recorded mount, in which placeholders stand for what a test makes.

use std::path::Path;

use akv_provider::proto::MountRequest;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::azure::Azure;

/// A recorded request.
#[derive(Deserialize)]
pub(crate) struct CaseRequest {
    attributes: Value,
    // An explicit null is the text "null"; only an absent field is `{}`.
    #[serde(default = "empty_map")]
    secrets: Value,
    #[serde(default = "default_permission")]
    permission: Value,
}

fn empty_map() -> Value {
    Value::Object(Map::new())
}

fn default_permission() -> Value {
    Value::from(420)
}

/// What the placeholders of one request stand for.
pub(crate) struct Placeholders<'a> {
    pub(crate) azure: &'a Azure,
    pub(crate) cloud_file: &'a Path,
    pub(crate) pod_uid: String,
}

impl CaseRequest {
    /// Returns the request without placeholders.
    pub(crate) fn fill(&self, placeholders: &Placeholders<'_>) -> MountRequest {
        MountRequest {
            attributes: placeholders.text(&self.attributes),
            secrets: placeholders.text(&self.secrets),
            target_path: format!("/var/lib/kubelet/pods/{}/mount", placeholders.pod_uid),
            permission: text(&self.permission),
            current_object_version: Vec::new(),
        }
    }
}

impl Placeholders<'_> {
    fn text(&self, value: &Value) -> String {
        let Value::Object(attributes) = value else {
            return text(value);
        };
        let mut attributes = attributes.clone();
        for value in attributes.values_mut() {
            if let Value::String(text) = value {
                *text = self.fill(text);
            }
        }
        Value::Object(attributes).to_string()
    }

    fn fill(&self, text: &str) -> String {
        let account = |prefix: &str| {
            let account = text.strip_prefix(prefix)?.strip_suffix(')')?;
            account.split_once('/')
        };
        if let Some((namespace, name)) = account("$SA_TOKENS(") {
            return self.azure.service_account_tokens(namespace, name);
        }
        if let Some((namespace, name)) = account("$SA_TOKENS_EXPIRED(") {
            return self.azure.expired_service_account_tokens(namespace, name);
        }
        match text {
            "$POD_UID" => self.pod_uid.clone(),
            "$WORKLOAD" => "cccccccc-0000-0000-0000-000000000002".to_owned(),
            "$CLOUD_FILE" => self.cloud_file.display().to_string(),
            other => other.to_owned(),
        }
    }
}

/// A string means exactly this text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

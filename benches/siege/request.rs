//! Requests of a pod author that means ill.

use akv_provider::proto::MountRequest;
use serde_json::{Map, Value};

/// Returns the request with these attributes in place of its own.
pub(crate) fn with(mut request: MountRequest, attributes: &[(&str, &str)]) -> MountRequest {
    let mut all: Map<String, Value> = serde_json::from_str(&request.attributes).unwrap_or_default();
    for (key, value) in attributes {
        all.insert((*key).to_owned(), Value::from(*value));
    }
    request.attributes = Value::Object(all).to_string();
    request
}

/// Returns `objects` with this many secrets and this line in each entry.
pub(crate) fn secrets(count: usize, line: &str) -> String {
    (0..count).map(|object| format!("- objectName: secret-{object}\n  objectType: secret\n{line}")).collect()
}

/// Returns `objects` with one secret, and a comment of this many bytes.
pub(crate) fn padded(bytes: usize) -> String {
    format!("- {{objectName: secret-0, objectType: secret}}\n# {}\n", "x".repeat(bytes))
}

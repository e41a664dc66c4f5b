//! The JSON of objects, complete but for the host in their ids.

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::Serialize;
use serde_json::{Map, Value};

use super::content::{ObjectKind, ObjectVersion};

/// A text with gaps for the host.
#[derive(Debug)]
pub(crate) struct Template {
    pieces: Vec<Box<str>>,
}

impl Template {
    /// Returns the text with `host` (and port, if any) in the gaps.
    pub(crate) fn fill(&self, host: &str) -> Bytes {
        let length: usize = self.pieces.iter().map(|piece| piece.len() + host.len()).sum();
        let mut text = BytesMut::with_capacity(length);
        for (index, piece) in self.pieces.iter().enumerate() {
            if index > 0 {
                text.extend_from_slice(host.as_bytes());
            }
            text.extend_from_slice(piece.as_bytes());
        }
        text.freeze()
    }
}

/// Returns the answer to a request for one version.
pub(super) fn bundle(kind: ObjectKind, name: &str, version: &ObjectVersion) -> Template {
    let mut object = Writer::new();
    let mut body = version.body.clone();
    body.retain(|_, value| !value.is_null());
    let path = |kind: ObjectKind| format!("/{}/{name}/{}", kind.collection(), version.version);
    match kind {
        ObjectKind::Secret => {
            object.url("id", &path(kind));
            // A bare path means the same host; the conformance cases write whole URLs.
            if let Some(kid) = body.get("kid").and_then(Value::as_str).filter(|kid| kid.starts_with('/')) {
                object.url("kid", kid);
                body.remove("kid");
            }
        }
        ObjectKind::Key => {
            if let Some(Value::Object(key)) = body.remove("key") {
                object.nested("key", &key, "kid", &path(kind));
            }
        }
        ObjectKind::Certificate => {
            object.url("id", &path(kind));
            if let Some(cer) = body.get("cer").and_then(Value::as_str) {
                if !body.contains_key("kid") {
                    object.url("kid", &path(ObjectKind::Key));
                }
                if !body.contains_key("sid") {
                    object.url("sid", &path(ObjectKind::Secret));
                }
                if !body.contains_key("x5t") {
                    object.field("x5t", &thumbprint(cer));
                }
            }
        }
    }
    for (field, value) in &body {
        object.field(field, value);
    }
    object.field("attributes", &attributes(kind, version));
    object.finish()
}

/// Returns an item of a listing: of versions, or of objects (`with_version` false).
pub(super) fn item(
    kind: ObjectKind,
    name: &str,
    version: &ObjectVersion,
    host: &str,
    with_version: bool,
) -> Map<String, Value> {
    let suffix = if with_version { format!("/{}", version.version) } else { String::new() };
    let id = format!("https://{host}/{}/{name}{suffix}", kind.collection());
    let id_field = if kind == ObjectKind::Key { "kid" } else { "id" };
    let mut item = Map::new();
    item.insert(id_field.to_owned(), Value::String(id));
    item.insert("attributes".to_owned(), Value::Object(attributes(kind, version)));
    for field in ["contentType", "tags", "managed"] {
        if let Some(value) = version.body.get(field).filter(|value| !value.is_null()) {
            item.insert(field.to_owned(), value.clone());
        }
    }
    if let Some(cer) =
        version.body.get("cer").and_then(Value::as_str).filter(|_| kind == ObjectKind::Certificate)
    {
        item.insert("x5t".to_owned(), Value::String(thumbprint(cer)));
    }
    item
}

fn attributes(kind: ObjectKind, version: &ObjectVersion) -> Map<String, Value> {
    let mut attributes = Map::new();
    attributes.insert("enabled".to_owned(), version.enabled.into());
    let times = [
        ("nbf", version.not_before),
        ("exp", version.expires),
        ("created", Some(version.created)),
        ("updated", version.updated.or(Some(version.created))),
    ];
    for (field, time) in times {
        if let Some(time) = time {
            attributes.insert(field.to_owned(), time.into());
        }
    }
    attributes.insert("recoveryLevel".to_owned(), "Recoverable+Purgeable".into());
    attributes.insert("recoverableDays".to_owned(), 90.into());
    if kind == ObjectKind::Key {
        attributes.insert("exportable".to_owned(), false.into());
    }
    attributes
}

/// Returns `x5t`: SHA-1 of the certificate in base64url (RFC 7517, section 4.8).
fn thumbprint(cer: &str) -> String {
    let der = BASE64.decode(cer.as_bytes()).unwrap_or_default();
    BASE64URL_NOPAD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref())
}

/// A writer of a JSON object that leaves a gap wherever a URL needs its host.
struct Writer {
    pieces: Vec<Box<str>>,
    text: String,
}

impl Writer {
    fn new() -> Self {
        Self { pieces: Vec::new(), text: "{".to_owned() }
    }

    fn field(&mut self, name: &str, value: &impl Serialize) {
        self.name(name);
        self.text.push_str(&json(value));
    }

    fn url(&mut self, name: &str, path: &str) {
        self.name(name);
        self.text.push_str("\"https://");
        self.gap();
        self.text.push_str(path);
        self.text.push('"');
    }

    /// Writes an object with one more field, a URL.
    fn nested(&mut self, name: &str, fields: &Map<String, Value>, url: &str, path: &str) {
        self.name(name);
        self.text.push('{');
        self.url(url, path);
        for (field, value) in fields {
            self.field(field, value);
        }
        self.text.push('}');
    }

    fn name(&mut self, name: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.text.push_str(&json(&name));
        self.text.push(':');
    }

    fn gap(&mut self) {
        self.pieces.push(std::mem::take(&mut self.text).into());
    }

    fn finish(mut self) -> Template {
        self.text.push('}');
        self.gap();
        Template { pieces: self.pieces }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a JSON value has a JSON form")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(kind: ObjectKind, body: Value) -> Value {
        let Value::Object(body) = body else { unreachable!("the tests give objects") };
        let text = bundle(kind, "n", &ObjectVersion::new("0f", 7, body)).fill("lab.vault.azure.net");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    #[test]
    fn a_secret_gets_id_and_attributes() {
        let secret = rendered(ObjectKind::Secret, json!({ "value": "a\"\n", "contentType": null }));
        assert_eq!(
            secret,
            json!({
                "value": "a\"\n",
                "id": "https://lab.vault.azure.net/secrets/n/0f",
                "attributes": {
                    "enabled": true, "created": 7, "updated": 7,
                    "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
                },
            })
        );
    }

    #[test]
    fn a_key_carries_its_id_inside() {
        let key = rendered(ObjectKind::Key, json!({ "key": { "kty": "EC" } }));
        assert_eq!(key["key"], json!({ "kty": "EC", "kid": "https://lab.vault.azure.net/keys/n/0f" }));
        assert!(key.get("id").is_none());
        assert!(rendered(ObjectKind::Key, json!({ "key": null })).get("key").is_none());
    }

    #[test]
    fn a_certificate_names_its_key_and_secret_only_when_there_is_one() {
        let certificate = rendered(ObjectKind::Certificate, json!({ "cer": "AAAA" }));
        assert_eq!(certificate["sid"], "https://lab.vault.azure.net/secrets/n/0f");
        assert_eq!(certificate["kid"], "https://lab.vault.azure.net/keys/n/0f");
        assert_eq!(certificate["x5t"].as_str().map(str::len), Some(27), "20 bytes in base64url");
        assert_eq!(rendered(ObjectKind::Certificate, json!({ "cer": null })).get("sid"), None);
    }
}

//! A JSON Schema of SecretProviderClasses, for editors.

use serde_json::{Map, Value, json};

use crate::parameters;

use super::forms::{Described, ENTRY, Form, PARAMETERS};

/// Returns the schema of a class. `$defs/entry` is that of an entry of `objects`, which is text within a class.
pub(super) fn class() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "SecretProviderClass of provider azure",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": { "pattern": "^secrets-store\\.csi\\.x-k8s\\.io/" },
            "kind": { "const": "SecretProviderClass" },
            "spec": {
                "type": "object",
                "required": ["provider", "parameters"],
                "properties": {
                    "provider": { "type": "string" },
                    "parameters": { "$ref": "#/$defs/parameters" },
                },
            },
        },
        "$defs": {
            "parameters": parameters(),
            "entry": entry(),
        },
    })
}

fn parameters() -> Value {
    let known = PARAMETERS.iter().filter(|described| parameters::PARAMETERS.contains(&described.name));
    json!({
        "type": "object",
        "required": ["keyvaultName", "objects"],
        "properties": known.map(|known| (known.name.to_owned(), property(known, false))).collect::<Map<_, _>>(),
        // The provider ignores other parameters, and the API server takes texts alone.
        "additionalProperties": { "type": "string" },
    })
}

fn entry() -> Value {
    let known = ENTRY.iter().filter(|described| parameters::ENTRY_FIELDS.contains(&described.name));
    json!({
        "type": "object",
        "properties": known.map(|known| (known.name.to_owned(), property(known, true))).collect::<Map<_, _>>(),
    })
}

/// Returns the schema of one value. In an entry, scalars of any kind keep their text, and null is an absent value.
fn property(described: &Described, in_entry: bool) -> Value {
    let scalar = if in_entry { json!(["string", "number", "boolean", "null"]) } else { json!("string") };
    let mut schema = match described.form {
        Form::Text | Form::Number => json!({ "type": scalar }),
        Form::Matching(pattern) => json!({ "type": scalar, "pattern": pattern }),
        Form::List => json!({ "type": ["array", "null"] }),
        Form::ListOrWord => json!({ "type": ["array", "string", "null"] }),
        Form::Map => json!({ "type": ["object", "null"] }),
    };
    schema["description"] = described.about.into();
    schema
}

//! The properties of a version as a JSON file.

use std::collections::BTreeMap;

use azure_core::time::OffsetDateTime;
use serde::{Serialize, Serializer, ser::Error as _};
use time::{UtcOffset, format_description::BorrowedFormatItem, macros::format_description};

/// The properties of a version, in the order of the file. What is unknown is left out.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Key Vault's URL of the version.
    pub id: &'a str,
    /// The version.
    pub version: &'a str,
    /// The content type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<&'a str>,
    /// Whether the version can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The creation time.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339")]
    pub created: Option<OffsetDateTime>,
    /// The time of the last change.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339")]
    pub updated: Option<OffsetDateTime>,
    /// The version is not valid before this time.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339")]
    pub not_before: Option<OffsetDateTime>,
    /// The version is not valid from this time on.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "rfc3339")]
    pub expires: Option<OffsetDateTime>,
    /// True if Key Vault manages the object for a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed: Option<bool>,
    /// The tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: &'a BTreeMap<String, String>,
}

/// The properties cannot be written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time of its properties is outside of the years that RFC 3339 has")]
pub struct MetadataError;

impl Metadata<'_> {
    /// Returns the JSON text.
    ///
    /// # Errors
    /// A time has no four-digit year.
    pub fn to_json(&self) -> Result<Vec<u8>, MetadataError> {
        serde_json::to_vec(self).map_err(|_| MetadataError)
    }
}

/// Writes a time in UTC with seconds: `2026-01-02T03:04:05Z`.
// The signature is serde's.
#[expect(clippy::ref_option)]
fn rfc3339<S: Serializer>(time: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(time) = time else { return serializer.serialize_none() };
    let text = time.to_offset(UtcOffset::UTC).format(SECONDS).map_err(S::Error::custom)?;
    serializer.serialize_str(&text)
}

const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_left_out() {
        let tags = BTreeMap::new();
        let bare = Metadata {
            id: "https://lab.vault.azure.net/secrets/a/1",
            version: "1",
            content_type: None,
            enabled: None,
            created: None,
            updated: None,
            not_before: None,
            expires: None,
            managed: None,
            tags: &tags,
        };
        let json = r#"{"id":"https://lab.vault.azure.net/secrets/a/1","version":"1"}"#;
        assert_eq!(bare.to_json().unwrap(), json.as_bytes());

        let tags = [("env".to_owned(), "\"prod\"".to_owned())].into();
        let time = |seconds| Some(OffsetDateTime::from_unix_timestamp(seconds).unwrap());
        let full = Metadata {
            content_type: Some("text/plain"),
            enabled: Some(true),
            created: time(1_700_000_000),
            updated: time(1_700_000_060),
            not_before: time(0),
            expires: time(4_102_444_800),
            managed: Some(false),
            tags: &tags,
            ..bare
        };
        assert_eq!(
            String::from_utf8(full.to_json().unwrap()).unwrap(),
            r#"{"id":"https://lab.vault.azure.net/secrets/a/1","version":"1","contentType":"text/plain","#
                .to_owned()
                + r#""enabled":true,"created":"2023-11-14T22:13:20Z","updated":"2023-11-14T22:14:20Z","#
                + r#""notBefore":"1970-01-01T00:00:00Z","expires":"2100-01-01T00:00:00Z","managed":false,"#
                + r#""tags":{"env":"\"prod\""}}"#
        );
    }
}

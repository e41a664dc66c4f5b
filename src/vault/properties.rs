//! What a vault says about a version of an object, beside its content.

use std::collections::{BTreeMap, HashMap};

use azure_core::time::OffsetDateTime;
use azure_security_keyvault_certificates::models::CertificateAttributes;
use azure_security_keyvault_keys::models::KeyAttributes;
use azure_security_keyvault_secrets::models::SecretAttributes;

use super::heap::{block, map_nodes};

/// The properties of a version. What the answer lacks is `None` or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Properties {
    /// The identifier: the URL of the version.
    pub id: String,
    /// The times of the version, and whether it can be read.
    pub lifecycle: Lifecycle,
    /// The content type.
    pub content_type: Option<String>,
    /// True if Key Vault manages the object for a certificate.
    pub managed: Option<bool>,
    /// The tags, at most 15.
    pub tags: BTreeMap<String, String>,
    /// The time of the answer, by the vault's own clock (`Date`).
    pub answered: Option<OffsetDateTime>,
}

/// The times of a version, and whether it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lifecycle {
    /// False if the version is disabled.
    pub enabled: Option<bool>,
    /// The creation time.
    pub created: Option<OffsetDateTime>,
    /// The time of the last change of the properties.
    pub updated: Option<OffsetDateTime>,
    /// The version is not valid before this time.
    pub not_before: Option<OffsetDateTime>,
    /// The version is not valid from this time on.
    pub expires: Option<OffsetDateTime>,
}

/// The most tags that are kept, and the longest name and value in bytes. Key Vault allows 15 tags of 512 characters
/// each (<https://learn.microsoft.com/azure/key-vault/secrets/about-secrets#secret-tags>).
const MAX_TAGS: usize = 15;
const MAX_TAG_BYTES: usize = 2_048;

/// The longest content type that is kept, in bytes. Key Vault allows 255 characters.
const MAX_CONTENT_TYPE: usize = 1_024;

impl Properties {
    pub(super) fn new(
        id: String,
        lifecycle: Option<impl Into<Lifecycle>>,
        tags: Option<HashMap<String, String>>,
    ) -> Self {
        let mut tags: BTreeMap<_, _> = tags.unwrap_or_default().into_iter().collect();
        tags.retain(|name, value| name.len() <= MAX_TAG_BYTES && value.len() <= MAX_TAG_BYTES);
        while tags.len() > MAX_TAGS {
            tags.pop_last();
        }
        let lifecycle = lifecycle.map(Into::into).unwrap_or_default();
        Self { id, lifecycle, tags, ..Self::default() }
    }

    pub(super) fn with_content_type(self, content_type: Option<&str>) -> Self {
        let content_type = content_type.filter(|content_type| content_type.len() <= MAX_CONTENT_TYPE);
        Self { content_type: content_type.map(ToOwned::to_owned), ..self }
    }

    pub(super) fn with_managed(self, managed: Option<bool>) -> Self {
        Self { managed, ..self }
    }

    /// Returns the size in memory beside the value itself, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = |(name, value): (&String, &String)| block(name.capacity()) + block(value.capacity());
        block(self.id.capacity())
            + self.content_type.as_ref().map_or(0, |content_type| block(content_type.capacity()))
            + map_nodes::<(String, String)>(self.tags.len())
            + self.tags.iter().map(texts).sum::<usize>()
    }
}

macro_rules! lifecycle_of {
    ($($attributes:ty),+) => {
        $(impl From<$attributes> for Lifecycle {
            fn from(attributes: $attributes) -> Self {
                Self {
                    enabled: attributes.enabled,
                    created: attributes.created,
                    updated: attributes.updated,
                    not_before: attributes.not_before,
                    expires: attributes.expires,
                }
            }
        })+
    };
}

lifecycle_of!(SecretAttributes, KeyAttributes, CertificateAttributes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_bounded_in_number_and_length() {
        let mut tags: HashMap<_, _> =
            (0..100).map(|index| (format!("tag-{index:03}"), "v".to_owned())).collect();
        tags.insert("a-long-one".to_owned(), "x".repeat(MAX_TAG_BYTES + 1));
        let properties = Properties::new("id".to_owned(), None::<Lifecycle>, Some(tags));
        let names: Vec<_> = properties.tags.keys().cloned().collect();
        assert_eq!(names, (0..MAX_TAGS).map(|index| format!("tag-{index:03}")).collect::<Vec<_>>());
    }

    /// They once counted as two bytes, and 15 of them as 30.
    #[test]
    fn small_tags_count_as_much_memory_as_they_take() {
        let tags = |count: u8| (0..count).map(|tag| (char::from(b'a' + tag).to_string(), String::from("v")));
        let bytes = |count| {
            let properties = Properties::new("id".to_owned(), None::<Lifecycle>, Some(tags(count).collect()));
            properties.heap_bytes()
        };
        let room = 11 * size_of::<(String, String)>();
        assert!(bytes(1) > room + 64, "{}", bytes(1));
        assert!(bytes(15) > 2 * room + 15 * 64 && bytes(15) < 4_000, "{}", bytes(15));
    }
}

//! The `objects` parameter: YAML, of which each item is YAML again.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::spec::object::ObjectSpec;

use super::{
    attributes::{Attributes, OBJECTS},
    clash,
    entry::{self, Entry},
    error::{Problem, Problems},
};

/// Every object, or `None` with at least one problem added.
pub(super) fn parse(attributes: &Attributes, problems: &mut Problems) -> Option<Vec<ObjectSpec>> {
    let text = problems.catch(attributes.required(OBJECTS))?;
    if text.len() > LONGEST_TEXT {
        let reason = format!("is longer than {LONGEST_TEXT} bytes");
        problems.push(Problem::wrong(OBJECTS, reason));
        return None;
    }
    let items = problems
        .catch(
            read::<Document>(text, "a list of objects under \"array\"")
                .map_err(|error| Problem::wrong(OBJECTS, error)),
        )?
        .items;
    if items.is_empty() {
        problems.push(Problem::wrong(OBJECTS, "names no object; list them under array:"));
        return None;
    }

    let count = items.len();
    if count > MOST_OBJECTS {
        let reason = format!("names {count} objects, more than the {MOST_OBJECTS} that one mount may have");
        problems.push(Problem::wrong(OBJECTS, reason));
        return None;
    }
    let mut objects = Vec::with_capacity(count);
    for (index, item) in items.into_iter().enumerate() {
        let field = format!("{OBJECTS}[{index}]");
        let entry = match item {
            Item::Entry(entry) => Ok(entry),
            Item::Text(text) => {
                read(&text, "an object's fields").map_err(|error| Problem::wrong(&field, error))
            }
        };
        objects.extend(problems.catch(entry).and_then(|entry| entry::parse(&field, entry, problems)));
    }
    // With an entry left out, the places of the others would be off.
    if objects.len() == count {
        clash::find(&objects, problems);
    }
    Some(objects)
}

/// A YAML text as what it should be, or the parser's message on one line.
fn read<'de, T: Deserialize<'de>>(text: &'de str, what: &str) -> Result<T, String> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        // What aliases repeat counts as often as it is repeated.
        budget: serde_saphyr::budget! { max_depth: DEEPEST, max_total_scalar_bytes: 2 * LONGEST_TEXT },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        // The parser's advice is for programmers.
        let message = message.split(", set DuplicateKeyPolicy").next().unwrap_or_default();
        let message = &message[..message.floor_char_boundary(LONGEST_MESSAGE)];
        format!("is not the YAML of {what}: {message}")
    })
}

/// Of `objects`, in bytes. etcd keeps nothing above 1.5 MiB, a SecretProviderClass included.
const LONGEST_TEXT: usize = 2 << 20;

/// Objects of a mount. It is what a vault answers within ten seconds, asked by nobody else
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits#secrets-managed-storage-account-keys-and-vault-transactions>).
const MOST_OBJECTS: usize = 4_000;

/// Lists and maps in each other; `objects` needs three.
const DEEPEST: usize = 16;

/// Of what the parser says, in bytes: it may quote a key of any length.
const LONGEST_MESSAGE: usize = 256;

/// The list of objects: under `array:` as users of the incumbent write it, or bare.
///
/// Compat: an item that is null, such as one that is commented out, is none.
#[derive(Default)]
struct Document {
    items: Vec<Item>,
}

enum Item {
    /// `- |` and the entry as text: what the incumbent knows.
    Text(String),
    /// The entry itself.
    Entry(Entry),
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects under \"array\"")
    }

    fn visit_unit<E>(self) -> Result<Document, E> {
        Ok(Document::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Document, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Option<Item>>()? {
            items.extend(item);
        }
        Ok(Document { items })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let mut items = None::<Vec<Option<Item>>>;
        while let Some(key) = map.next_key::<String>()? {
            if key == "array" {
                items = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Document { items: items.into_iter().flatten().flatten().collect() })
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, as YAML text or as a map")
    }

    fn visit_str<E>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Item, A::Error> {
        Entry::deserialize(MapAccessDeserializer::new(map)).map(Item::Entry).map_err(A::Error::custom)
    }
}

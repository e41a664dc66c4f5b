//! A part of a structured value.

use std::{collections::HashSet, mem, ops::Range, sync::Arc};

use zeroize::Zeroizing;

use crate::spec::{key_path::Step, sensitive::Sensitive};

use super::StructureError;

/// A value of any kind. It has no copies: a text of a few kilobytes would have thousands, through aliases of YAML.
#[derive(Debug)]
pub enum Value {
    /// `null`
    Null,
    /// A string.
    Text(Sensitive<String>),
    /// A number or a boolean, as written.
    Scalar(Sensitive<String>),
    /// A list.
    List(List),
    /// A map.
    Map(Map),
    /// A value of YAML with an anchor. Its aliases share it.
    Shared(Arc<Value>),
}

/// A list, in the order of the value.
#[derive(Debug)]
pub struct List {
    pub(super) items: Vec<Value>,
    /// The place of its JSON in the document's text, if that is JSON.
    pub(super) written: Option<Range<usize>>,
}

/// A map without equal keys, in the order of the value.
#[derive(Debug)]
pub struct Map {
    pub(super) entries: Vec<(Sensitive<String>, Value)>,
    /// The place of its JSON in the document's text, if that is JSON.
    pub(super) written: Option<Range<usize>>,
}

impl Map {
    /// Returns a map.
    ///
    /// # Errors
    /// Two keys are equal.
    pub(super) fn new(
        entries: Vec<(Sensitive<String>, Value)>,
        written: Option<Range<usize>>,
    ) -> Result<Self, StructureError> {
        let mut keys = HashSet::with_capacity(entries.len());
        if !entries.iter().all(|(key, _)| keys.insert(key.expose().as_str())) {
            return Err(StructureError::DuplicateKey);
        }
        drop(keys);
        Ok(Self { entries, written })
    }
}

impl Value {
    /// Returns whether the value is `null`, which counts as absent.
    pub fn is_null(&self) -> bool {
        matches!(self.resolved(), Self::Null)
    }

    /// Returns the value itself, which may be a shared one.
    pub(super) fn resolved(&self) -> &Self {
        let mut value = self;
        while let Self::Shared(shared) = value {
            value = shared;
        }
        value
    }

    pub(super) fn step(&self, step: &Step) -> Option<&Self> {
        match (self.resolved(), step) {
            (Self::Map(map), Step::Key(key)) => {
                map.entries.iter().find(|(name, _)| name.expose() == key).map(|(_, value)| value)
            }
            (Self::List(list), Step::Index(index)) => {
                let distance = usize::try_from(index.unsigned_abs()).ok()?;
                let place = if *index < 0 { list.items.len().checked_sub(distance)? } else { distance };
                list.items.get(place)
            }
            _ => None,
        }
    }

    /// Returns the text of a string, a number or a boolean. Other values become JSON.
    pub fn as_text(&self) -> Option<&str> {
        match self.resolved() {
            Self::Text(text) | Self::Scalar(text) => Some(text.expose()),
            _ => None,
        }
    }

    /// Returns the value as the text of a file. `source` is the document's text.
    pub(super) fn text(&self, source: &str) -> Sensitive<String> {
        match self.resolved() {
            Self::Text(text) | Self::Scalar(text) => text.clone(),
            _ => {
                let mut json = Zeroizing::new(String::with_capacity(self.json_bytes()));
                self.write_json(source, &mut json);
                Sensitive::new(mem::take(&mut *json))
            }
        }
    }

    /// Returns the length of the value's text in a file, in bytes, without making the text.
    pub fn text_bytes(&self) -> usize {
        self.as_text().map_or_else(|| self.json_bytes(), str::len)
    }

    /// Writes the value's JSON: as written where it was JSON, otherwise without blanks.
    fn write_json(&self, source: &str, json: &mut String) {
        match self {
            Self::Null => json.push_str("null"),
            Self::Text(text) => write_json_string(text.expose(), json),
            Self::Scalar(text) => json.push_str(text.expose()),
            Self::List(List { written: Some(written), .. })
            | Self::Map(Map { written: Some(written), .. }) => {
                json.push_str(&source[written.clone()]);
            }
            Self::List(List { items, written: None }) => {
                json.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    item.write_json(source, json);
                }
                json.push(']');
            }
            Self::Map(Map { entries, written: None }) => {
                json.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    write_json_string(key.expose(), json);
                    json.push(':');
                    value.write_json(source, json);
                }
                json.push('}');
            }
            Self::Shared(shared) => shared.write_json(source, json),
        }
    }

    /// Returns the JSON's length, so that the text never moves and leaves no copy behind.
    fn json_bytes(&self) -> usize {
        match self {
            Self::Null => 4,
            Self::Text(text) => json_string_bytes(text),
            Self::Scalar(text) => text.expose().len(),
            Self::List(List { written: Some(written), .. })
            | Self::Map(Map { written: Some(written), .. }) => written.len(),
            Self::List(List { items, .. }) => {
                let commas = items.len().saturating_sub(1);
                2 + commas + items.iter().map(Self::json_bytes).sum::<usize>()
            }
            Self::Map(Map { entries, .. }) => {
                let entry = |(key, value): &(_, Self)| json_string_bytes(key) + 1 + value.json_bytes();
                let commas = entries.len().saturating_sub(1);
                2 + commas + entries.iter().map(entry).sum::<usize>()
            }
            Self::Shared(shared) => shared.json_bytes(),
        }
    }

    /// Returns the approximate size in memory beside the value itself, in bytes. `counted` has the shared values that
    /// count already.
    pub(super) fn heap_bytes(&self, counted: &mut HashSet<*const Self>) -> usize {
        match self {
            Self::Null => 0,
            Self::Text(text) | Self::Scalar(text) => text_heap_bytes(text),
            Self::List(List { items, .. }) => {
                let inside = items.iter().map(|item| item.heap_bytes(counted)).sum::<usize>();
                items.capacity() * size_of::<Self>() + inside
            }
            Self::Map(Map { entries, .. }) => {
                let inside = |(key, value): &(_, Self)| text_heap_bytes(key) + value.heap_bytes(counted);
                entries.capacity() * size_of::<(Sensitive<String>, Self)>()
                    + entries.iter().map(inside).sum::<usize>()
            }
            Self::Shared(shared) if counted.insert(Arc::as_ptr(shared)) => {
                HEAP_BLOCK_BYTES + size_of::<Self>() + shared.heap_bytes(counted)
            }
            Self::Shared(_) => 0,
        }
    }
}

/// What the allocator and an [`Arc`] add to a block of memory, in bytes.
const HEAP_BLOCK_BYTES: usize = 32;

fn text_heap_bytes(text: &Sensitive<String>) -> usize {
    HEAP_BLOCK_BYTES + text.expose().capacity()
}

/// Returns the length of what [`write_json_string`] writes, in bytes.
fn json_string_bytes(text: &Sensitive<String>) -> usize {
    let escaped = |byte: u8| -> usize {
        match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            control if control < 0x20 => 6,
            _ => 1,
        }
    };
    2 + text.expose().bytes().map(escaped).sum::<usize>()
}

/// Writes a JSON string (RFC 8259, section 7).
fn write_json_string(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if u32::from(control) < 0x20 => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let code = u32::from(control) as usize;
                json.push_str("\\u00");
                json.push(char::from(DIGITS[code >> 4]));
                json.push(char::from(DIGITS[code & 15]));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

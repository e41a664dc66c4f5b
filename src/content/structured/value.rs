//! A part of a structured value.

use std::{collections::HashSet, ops::Range};

use zeroize::Zeroizing;

use crate::spec::{key_path::Step, sensitive::Sensitive};

use super::StructureError;

/// A value of any kind.
#[derive(Debug, Clone)]
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
}

/// A list, in the order of the value.
#[derive(Debug, Clone)]
pub struct List {
    pub(super) items: Vec<Value>,
    /// The place of its JSON in the document's text, if that is JSON.
    pub(super) written: Option<Range<usize>>,
}

/// A map without equal keys, in the order of the value.
#[derive(Debug, Clone)]
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
        matches!(self, Self::Null)
    }

    pub(super) fn step(&self, step: &Step) -> Option<&Self> {
        match (self, step) {
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

    /// Returns the value as the text of a file. `source` is the document's text.
    pub(super) fn text(&self, source: &str) -> Sensitive<String> {
        match self {
            Self::Text(text) | Self::Scalar(text) => text.clone(),
            _ => {
                let mut json = Zeroizing::new(String::with_capacity(self.json_bytes()));
                self.write_json(source, &mut json);
                Sensitive::new(std::mem::take(&mut *json))
            }
        }
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
        }
    }

    /// Returns an upper bound of the JSON's length, so that the text never moves and leaves no copy behind.
    fn json_bytes(&self) -> usize {
        match self {
            Self::Null => 4,
            Self::Text(text) => json_string_bytes(text),
            Self::Scalar(text) => text.expose().len(),
            Self::List(List { written: Some(written), .. })
            | Self::Map(Map { written: Some(written), .. }) => written.len(),
            Self::List(List { items, .. }) => {
                2 + items.iter().map(|item| item.json_bytes() + 1).sum::<usize>()
            }
            Self::Map(Map { entries, .. }) => {
                let entry = |(key, value): &(_, Self)| json_string_bytes(key) + value.json_bytes() + 2;
                2 + entries.iter().map(entry).sum::<usize>()
            }
        }
    }
}

/// An escape has six bytes.
fn json_string_bytes(text: &Sensitive<String>) -> usize {
    2 + 6 * text.expose().len()
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

//! Reads JSON (RFC 8259). Numbers, maps and lists keep their text.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::spec::sensitive::Sensitive;

use super::{
    StructureError,
    budget::Budget,
    value::{List, Map, Value},
};

pub(super) fn parse(text: &str, budget: &mut Budget) -> Result<Value, StructureError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| invalid(error.line()))?;
    Reader { text, budget }.value(raw, 1)
}

fn invalid(line: usize) -> StructureError {
    StructureError::Syntax { syntax: "JSON", line }
}

struct Reader<'a> {
    text: &'a str,
    budget: &'a mut Budget,
}

impl<'a> Reader<'a> {
    /// Reads a value. A map or list in it has this depth.
    fn value(&mut self, raw: &'a RawValue, depth: usize) -> Result<Value, StructureError> {
        let written = raw.get();
        match written.as_bytes().first() {
            Some(b'{') => self.map(written, depth),
            Some(b'[') => self.list(written, depth),
            Some(b'"') => {
                self.budget.value(written.len())?;
                // Half of a surrogate pair is not a character.
                serde_json::from_str(written).map(Value::Text).map_err(|_| invalid(self.line(written)))
            }
            Some(b'n') => {
                self.budget.value(written.len())?;
                Ok(Value::Null)
            }
            _ => {
                self.budget.value(written.len())?;
                Ok(Value::Scalar(Sensitive::new(written.to_owned())))
            }
        }
    }

    fn map(&mut self, written: &'a str, depth: usize) -> Result<Value, StructureError> {
        Budget::enter(depth)?;
        self.budget.value(0)?;
        let Pairs(pairs) = serde_json::from_str(written).map_err(|_| invalid(self.line(written)))?;
        let mut entries = Vec::new();
        for (key, raw) in pairs {
            self.budget.key(key.expose().len())?;
            entries.push((key, self.value(raw, depth + 1)?));
        }
        Map::new(entries, Some(self.place(written))).map(Value::Map)
    }

    fn list(&mut self, written: &'a str, depth: usize) -> Result<Value, StructureError> {
        Budget::enter(depth)?;
        self.budget.value(0)?;
        let raws: Vec<&RawValue> = serde_json::from_str(written).map_err(|_| invalid(self.line(written)))?;
        let items = raws.into_iter().map(|raw| self.value(raw, depth + 1)).collect::<Result<_, _>>()?;
        Ok(Value::List(List { items, written: Some(self.place(written)) }))
    }

    /// Returns the place of a part of the text.
    fn place(&self, part: &str) -> std::ops::Range<usize> {
        let start = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        start..start + part.len()
    }

    /// Returns the line at which a part of the text begins.
    fn line(&self, part: &str) -> usize {
        self.text.as_bytes()[..self.place(part).start].iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// The keys of a map with the text of their values, duplicates included.
struct Pairs<'a>(Vec<(Sensitive<String>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

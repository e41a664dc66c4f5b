//! Reads YAML 1.2 in its core schema (<https://yaml.org/spec/1.2.2/#103-core-schema>). Numbers keep their text.

use std::{collections::HashMap, sync::Arc};

use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use crate::spec::sensitive::Sensitive;

use super::{
    StructureError,
    budget::{Budget, Size},
    value::{List, Map, Value},
};

pub(super) fn parse(text: &str, budget: &mut Budget) -> Result<Value, StructureError> {
    let mut reader = Reader { events: Parser::new_from_str(text), line: 1, budget, anchors: HashMap::new() };
    let mut root = None;
    loop {
        match reader.next()? {
            Event::StreamEnd => return Ok(root.unwrap_or(Value::Null)),
            Event::StreamStart | Event::DocumentEnd => {}
            // One value has one document.
            Event::DocumentStart(..) if root.is_some() => return Err(reader.invalid()),
            Event::DocumentStart(..) => {
                let first = reader.next()?;
                root = Some(reader.value(first, 1)?.0);
            }
            _ => return Err(reader.invalid()),
        }
    }
}

struct Reader<'a, 'b> {
    events: Parser<'a, StrInput<'a>>,
    line: usize,
    budget: &'b mut Budget,
    /// The finished values with an anchor, by the anchor's number.
    anchors: HashMap<usize, Anchored>,
}

/// A value with an anchor. Each alias shares it, and counts as a copy: its text is written once for each.
struct Anchored {
    value: Arc<Value>,
    size: Size,
    height: usize,
}

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Result<Event<'a>, StructureError> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                Err(self.invalid())
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn invalid(&self) -> StructureError {
        StructureError::Syntax { syntax: "YAML", line: self.line.max(1) }
    }

    /// Reads the value that begins with `event`, and returns it with its height. A map or list has this depth.
    fn value(&mut self, event: Event<'a>, depth: usize) -> Result<(Value, usize), StructureError> {
        let before = self.budget.used;
        let (anchor, value, height) = match event {
            Event::Alias(anchor) => {
                // An alias within its own anchor has no value yet.
                let Anchored { value, size, height } =
                    self.anchors.get(&anchor).ok_or_else(|| self.invalid())?;
                if *height > 0 {
                    Budget::enter(depth + height - 1)?;
                }
                self.budget.add(*size)?;
                return Ok((Value::Shared(value.clone()), *height));
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.value(text.len())?;
                let value = scalar(&text, style, tag.as_deref()).ok_or_else(|| self.invalid())?;
                (anchor, value, 0)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.collection(depth, tag.as_deref(), "seq")?;
                let (mut items, mut height) = (Vec::new(), 0);
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => {
                            let (item, below) = self.value(event, depth + 1)?;
                            items.push(item);
                            height = height.max(below);
                        }
                    }
                }
                (anchor, Value::List(List { items, written: None }), height + 1)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.collection(depth, tag.as_deref(), "map")?;
                let (mut entries, mut height) = (Vec::new(), 0);
                loop {
                    let key = match self.next()? {
                        Event::MappingEnd => break,
                        event => self.key(event)?,
                    };
                    let event = self.next()?;
                    let (value, below) = self.value(event, depth + 1)?;
                    entries.push((key, value));
                    height = height.max(below);
                }
                (anchor, Value::Map(Map::new(entries, None)?), height + 1)
            }
            _ => return Err(self.invalid()),
        };
        if anchor > 0 {
            let size = self.budget.used.since(before);
            let value = Arc::new(value);
            self.anchors.insert(anchor, Anchored { value: value.clone(), size, height });
            return Ok((Value::Shared(value), height));
        }
        Ok((value, height))
    }

    fn collection(&mut self, depth: usize, tag: Option<&Tag>, kind: &str) -> Result<(), StructureError> {
        Budget::enter(depth)?;
        self.budget.value(0)?;
        match tag {
            Some(tag) if !is_core(tag, kind) => Err(self.invalid()),
            _ => Ok(()),
        }
    }

    /// Reads the key of a map: a scalar of any kind, with its text.
    fn key(&mut self, event: Event<'a>) -> Result<Sensitive<String>, StructureError> {
        let written = match &event {
            Event::Scalar(text, ..) => Some(Sensitive::new(text.as_ref().to_owned())),
            _ => None,
        };
        let (value, _) = self.value(event, 1)?;
        self.budget.key(0)?;
        match (written, value.resolved()) {
            (Some(key), _) => Ok(key),
            (None, Value::Text(key) | Value::Scalar(key)) => Ok(key.clone()),
            _ => Err(self.invalid()),
        }
    }
}

fn is_core(tag: &Tag, kind: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix() == kind
}

/// Returns a scalar by the core schema's rules; `None` if its tag is unknown or does not fit.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Option<Value> {
    let owned = || Sensitive::new(text.to_owned());
    match tag {
        None if style == ScalarStyle::Plain => Some(plain(text)),
        None => Some(Value::Text(owned())),
        Some(tag) if is_core(tag, "str") => Some(Value::Text(owned())),
        // "!" alone makes any scalar a text.
        Some(tag) if tag.handle().is_empty() && tag.suffix() == "!" => Some(Value::Text(owned())),
        Some(tag) => {
            let value = plain(text);
            let fits = match &value {
                Value::Null => is_core(tag, "null"),
                Value::Scalar(_) => ["bool", "int", "float"].iter().any(|kind| is_core(tag, kind)),
                _ => false,
            };
            fits.then_some(value)
        }
    }
}

/// Returns a plain scalar by the core schema's rules.
fn plain(text: &str) -> Value {
    let scalar = |text: &str| Value::Scalar(Sensitive::new(text.to_owned()));
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => scalar("true"),
        "false" | "False" | "FALSE" => scalar("false"),
        // A number that JSON cannot write, such as 0x1F or .inf, keeps its text as a string.
        _ if is_json_number(text) => scalar(text),
        _ => Value::Text(Sensitive::new(text.to_owned())),
    }
}

/// Returns whether a text is a number of JSON (RFC 8259, section 6).
fn is_json_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(is_digits)
}

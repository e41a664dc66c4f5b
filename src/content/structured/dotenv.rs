//! Reads dotenv: lines of `KEY=value`, as a POSIX shell reads assignments.

use zeroize::Zeroizing;

use crate::spec::sensitive::Sensitive;

use super::{
    StructureError,
    budget::Budget,
    value::{Map, Value},
};

pub(super) fn parse(text: &str, budget: &mut Budget) -> Result<Value, StructureError> {
    budget.value(0)?;
    let mut entries = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start_matches(BLANKS);
        if line.trim_end_matches(BLANKS).is_empty() || line.starts_with('#') {
            continue;
        }
        let invalid = StructureError::Syntax { syntax: "dotenv", line: index + 1 };
        let (key, value) = assignment(line).ok_or(invalid)?;
        budget.key(key.len())?;
        budget.value(value.expose().len())?;
        entries.push((Sensitive::new(key.to_owned()), Value::Text(value)));
    }
    Map::new(entries, None).map(Value::Map)
}

const BLANKS: [char; 2] = [' ', '\t'];

/// Parses `KEY=value`, with or without `export`.
fn assignment(line: &str) -> Option<(&str, Sensitive<String>)> {
    let line = match line.strip_prefix("export") {
        Some(rest) if rest.starts_with(BLANKS) => rest.trim_start_matches(BLANKS),
        _ => line,
    };
    let (key, value) = line.split_once('=')?;
    let mut letters = key.bytes();
    let is_name = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return None;
    }
    let trimmed = value.trim_start_matches(BLANKS);
    let (value, rest) = if let Some(quoted) = trimmed.strip_prefix('\'') {
        let (value, rest) = quoted.split_once('\'')?;
        (Sensitive::new(value.to_owned()), rest)
    } else if let Some(quoted) = trimmed.strip_prefix('"') {
        double_quoted(quoted)?
    } else {
        return Some((key, Sensitive::new(unquoted(value).to_owned())));
    };
    let is_comment = rest.starts_with(BLANKS) && rest.trim_start_matches(BLANKS).starts_with('#');
    (rest.trim_matches(BLANKS).is_empty() || is_comment).then_some((key, value))
}

/// Returns an unquoted value without blanks around it, and without the comment behind it.
fn unquoted(value: &str) -> &str {
    let comment = value.match_indices('#').find(|(place, _)| value[..*place].ends_with(BLANKS));
    let end = comment.map_or(value.len(), |(place, _)| place);
    value[..end].trim_matches(BLANKS)
}

/// Parses a value behind its opening double quote. Returns the value and the rest of the line.
fn double_quoted(text: &str) -> Option<(Sensitive<String>, &str)> {
    // No escape is longer than its character, so the text never moves and leaves no copy behind.
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut characters = text.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((Sensitive::new(std::mem::take(&mut *value)), &text[place + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                escaped @ ('\\' | '"' | '$') => escaped,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

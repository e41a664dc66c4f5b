//! One JSON object of texts.

use std::fmt::{self, Write};

use super::Pair;

pub(super) fn write(pairs: &[Pair<'_>], out: &mut impl Write) -> fmt::Result {
    out.write_char('{')?;
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        string(key, out)?;
        out.write_char(':')?;
        string(value, out)?;
    }
    out.write_char('}')
}

/// Writes a JSON string that is also a double-quoted scalar of YAML.
///
/// YAML does not take all that JSON takes: readers of YAML 1.1 fold three more line ends, and refuse other characters
/// that do not print (<https://yaml.org/spec/1.2.2/#51-character-set>).
pub(super) fn string(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.write_char('\\')?;
                out.write_char(character)?;
            }
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\0'..' '
            | '\u{7f}'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => write!(out, "\\u{:04x}", u32::from(character))?,
            _ => out.write_char(character)?,
        }
    }
    out.write_char('"')
}

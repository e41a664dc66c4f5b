//! Properties of Java, in ASCII: `java.util.Properties.load` of a stream reads ISO 8859-1, and Spring UTF-8.

use std::fmt::{self, Write};

use super::Pair;

pub(super) fn write(pairs: &[Pair<'_>], out: &mut impl Write) -> fmt::Result {
    for (key, value) in pairs {
        for character in key.chars() {
            if matches!(character, ' ' | '=' | ':' | '#' | '!') {
                out.write_char('\\')?;
            }
            escaped(character, out)?;
        }
        out.write_char('=')?;
        for (index, character) in value.chars().enumerate() {
            // Blanks behind the separator belong to it.
            if index == 0 && character == ' ' {
                out.write_char('\\')?;
            }
            escaped(character, out)?;
        }
        out.write_char('\n')?;
    }
    Ok(())
}

fn escaped(character: char, out: &mut impl Write) -> fmt::Result {
    match character {
        '\\' => out.write_str("\\\\"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{c}' => out.write_str("\\f"),
        ' '..='~' => out.write_char(character),
        _ => {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04X}")?;
            }
            Ok(())
        }
    }
}

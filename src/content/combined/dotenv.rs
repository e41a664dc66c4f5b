//! Lines of `KEY=value` that a POSIX shell reads.

use std::fmt::{self, Write};

use super::Pair;

pub(super) fn write(pairs: &[Pair<'_>], out: &mut impl Write) -> fmt::Result {
    for (key, value) in pairs {
        out.write_str(key)?;
        out.write_char('=')?;
        quoted(value, out)?;
        out.write_char('\n')?;
    }
    Ok(())
}

/// Single quotes, in which nothing is special. A value that holds one is in double quotes instead of `'\''`, which
/// readers other than shells do not know.
fn quoted(value: &str, out: &mut impl Write) -> fmt::Result {
    if !value.contains('\'') {
        return write!(out, "'{value}'");
    }
    out.write_char('"')?;
    for character in value.chars() {
        // POSIX, section 2.2.3, Double-Quotes.
        if matches!(character, '"' | '\\' | '$' | '`') {
            out.write_char('\\')?;
        }
        out.write_char(character)?;
    }
    out.write_char('"')
}

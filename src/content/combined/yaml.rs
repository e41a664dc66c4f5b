//! One YAML map of texts. All keys and values are in double quotes, so none is read as a number or a boolean.

use std::fmt::{self, Write};

use super::{Pair, json};

pub(super) fn write(pairs: &[Pair<'_>], out: &mut impl Write) -> fmt::Result {
    if pairs.is_empty() {
        return out.write_str("{}");
    }
    for (key, value) in pairs {
        json::string(key, out)?;
        out.write_str(": ")?;
        json::string(value, out)?;
        out.write_char('\n')?;
    }
    Ok(())
}

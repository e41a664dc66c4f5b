//! Booleans as users write them, in parameters and in flags.

/// A text is not a boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a boolean; use true or false")]
pub struct InvalidBoolean;

/// Parses a boolean.
///
/// Compat: the spellings of Go's `strconv.ParseBool`, and no others (<https://pkg.go.dev/strconv#ParseBool>).
///
/// # Errors
/// The text has another spelling.
pub fn parse(text: &str) -> Result<bool, InvalidBoolean> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(InvalidBoolean),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_spelt_as_go_spells_them() {
        for (text, expected) in [
            ("1", Ok(true)),
            ("T", Ok(true)),
            ("True", Ok(true)),
            ("0", Ok(false)),
            ("f", Ok(false)),
            ("FALSE", Ok(false)),
            ("", Err(InvalidBoolean)),
            ("yes", Err(InvalidBoolean)),
            ("tRUE", Err(InvalidBoolean)),
            (" true", Err(InvalidBoolean)),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}

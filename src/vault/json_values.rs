//! A bound on the values in an answer: a megabyte of JSON can be tens of megabytes once it is parsed.

use azure_core::error::{Error, ErrorKind};
use memchr::memchr2;

/// The most values of an answer. A page of Key Vault has 25 objects of at most 15 tags, less than a thousand values.
const MAX_VALUES: usize = 20_000;

/// An answer has too many values.
#[derive(Debug, thiserror::Error)]
#[error("the answer has more than {MAX_VALUES} values")]
pub(super) struct TooManyValues;

/// Counts the values of an answer, without keeping any: it may hold a secret. What is no JSON is left to the parser.
///
/// # Errors
/// There are too many.
pub(super) fn check(body: &[u8]) -> Result<(), TooManyValues> {
    let (mut left, mut rest) = (MAX_VALUES, body);
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => after_text(after),
            // Before each value but the first of all is one of these.
            b',' | b'[' | b'{' => {
                left = left.checked_sub(1).ok_or(TooManyValues)?;
                after
            }
            _ => after,
        };
    }
    Ok(())
}

/// Returns what follows the text that `rest` begins in.
fn after_text(mut rest: &[u8]) -> &[u8] {
    while let Some(place) = memchr2(b'"', b'\\', rest) {
        if rest[place] == b'"' {
            return &rest[place + 1..];
        }
        // What is escaped ends no text.
        rest = rest.get(place + 2..).unwrap_or_default();
    }
    &[]
}

impl From<TooManyValues> for Error {
    fn from(error: TooManyValues) -> Self {
        Self::with_error(ErrorKind::Other, error, "the answer was refused")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_texts() {
        let list = |values: usize| format!("[{}]", vec!["1"; values].join(","));
        assert!(check(list(20_000).as_bytes()).is_ok() && check(list(20_001).as_bytes()).is_err());
        let tags: String = (0..20_000).map(|tag| format!("\"t{tag}\":\"\",")).collect();
        assert!(check(format!("{{\"tags\":{{{tags}\"t\":\"\"}}}}").as_bytes()).is_err());
        let nested = "{\"a\":[".repeat(10_001);
        assert!(check(nested.as_bytes()).is_err());
        let text = format!("{{\"value\":\"\\\"{}\"}}", ",[{".repeat(10_000));
        assert!(check(text.as_bytes()).is_ok(), "a secret may be JSON");
        for unfinished in [r#"["a\"#, r#"["a"#, r#"["\""#, r#"["\\",1"#] {
            assert!(check(unfinished.as_bytes()).is_ok(), "{unfinished}");
        }
        assert!(check(b"<html>").is_ok() && check(b"").is_ok());
    }
}

//! An integer as a user writes it in YAML.

/// A text is not an integer of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a whole number")]
pub(super) struct InvalidInteger;

/// Parses an integer.
///
/// Compat: the spellings that `gopkg.in/yaml.v3` v3.0.1 decodes into an `int32`, and no others (`resolve.go`,
/// `decode.go`). These are decimal, binary (`0b`), octal (`0o` or a leading zero) and hexadecimal (`0x`) numbers with
/// `_` between digits. Decimal fractions are accepted and truncated.
///
/// # Errors
/// The text is not a number, or the number does not fit.
pub(super) fn parse(text: &str) -> Result<i32, InvalidInteger> {
    let number = match text.bytes().next() {
        Some(b'.') if has_separators_between_digits(text) => decimal(&text.replace('_', "")),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            let plain = text.replace('_', "");
            whole(&plain).or_else(|| decimal(&plain))
        }
        _ => None,
    };
    number.and_then(|number| number.try_into().ok()).ok_or(InvalidInteger)
}

/// Parses a number without a fraction, in the base of its prefix.
fn whole(text: &str) -> Option<i64> {
    // Compat: the library accepts a sign behind these two prefixes in lower case.
    for (prefix, base) in [("0b", 2), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return i64::from_str_radix(digits, base).ok();
        }
    }
    let (sign, magnitude) = match text.strip_prefix(['+', '-']) {
        Some(magnitude) => (&text[..1], magnitude),
        None => ("", text),
    };
    let (base, digits) = match magnitude.as_bytes() {
        [b'0', b'b' | b'B', ..] => (2, &magnitude[2..]),
        [b'0', b'o' | b'O', ..] => (8, &magnitude[2..]),
        [b'0', b'x' | b'X', ..] => (16, &magnitude[2..]),
        [b'0', _, ..] => (8, &magnitude[1..]),
        _ => (10, magnitude),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// Parses a decimal number and truncates its fraction.
fn decimal(text: &str) -> Option<i64> {
    // Rust's parser accepts words such as "inf".
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction is dropped, and what is too large saturates"
    )]
    text.parse::<f64>().ok().map(|number| number as i64)
}

fn has_separators_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |index: usize| bytes.get(index).is_some_and(u8::is_ascii_digit);
    (0..bytes.len())
        .filter(|&index| bytes[index] == b'_')
        .all(|index| index > 0 && is_digit(index - 1) && is_digit(index + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_written_with_an_underscore_is_ten_and_so_is_every_other_spelling_of_it() {
        for text in [
            "10", "1_0", "10_", "1__0_", "+10", "+1_0", "+_10", "0b1010", "0B10_10", "0o12", "0O12", "012",
            "0_12", "+012", "0xa", "0xA", "0XA", "0x_a", "+0xA", "10.", "10.9", "+10.0", "1e1", "1E+1",
            "1_e1", "100e-1", ".1e2", ".1_0e2", "1_0.5_0", "0b+1010", "0o+12",
        ] {
            assert_eq!(parse(text), Ok(10), "{text}");
        }
    }

    #[test]
    fn numbers_are_what_the_yaml_library_of_provider_azure_makes_of_them() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("00", 0),
            ("0_", 0),
            (".5", 0),
            (".5_0", 0),
            ("-.5", 0),
            ("1e-1", 0),
            ("-5.9", -5),
            ("-10", -10),
            ("-010", -8),
            ("-0x10", -16),
            ("-0b11", -3),
            ("0b-1", -1),
            ("0o-17", -15),
            // A leading zero means octal, unless a digit is not octal.
            ("0777", 511),
            ("08", 8),
            ("019", 19),
            ("08_0", 80),
            ("010.5", 10),
            ("01e1", 10),
            ("2147483647", i32::MAX),
            ("2147483647.9", i32::MAX),
            ("-2147483648", i32::MIN),
            ("-2147483648.9", i32::MIN),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn texts_that_the_yaml_library_of_provider_azure_refuses_are_refused() {
        for text in [
            "",
            "many",
            "_10",
            "--1",
            "++1",
            "+-1",
            "-0b-1",
            "+0b-1",
            "0b",
            "0o",
            "0x",
            "0b2",
            "0o8",
            "0x-1",
            "0X+1",
            "0B-1",
            "0x1p4",
            "0x1.8",
            "00x1",
            "1e",
            "1e+",
            "e1",
            ".",
            "-",
            "+",
            "-.",
            "._5",
            ".0_",
            ".1e1_",
            "5.0.0",
            "1,000",
            "5L",
            "1 0",
            "1:30",
            "inf",
            "+inf",
            "-inf",
            ".inf",
            "-.Inf",
            "+infinity",
            "nan",
            ".nan",
            "-nan",
            "true",
            "2001-01-01",
            "2147483648",
            "2147483648.0",
            "-2147483649",
            "1e10",
            "1e1_0",
            "1e400",
            "-1e400",
            "0x80000000",
            "18446744073709551615",
            "99999999999999999999",
            "١",
        ] {
            assert_eq!(parse(text), Err(InvalidInteger), "{text}");
        }
    }

    #[test]
    fn a_megabyte_of_digits_is_not_a_number() {
        for text in ["9".repeat(1 << 20), "_".repeat(1 << 20), format!("0x{}", "f".repeat(1 << 20))] {
            assert_eq!(parse(&text), Err(InvalidInteger));
        }
        assert_eq!(parse(&"0".repeat(1 << 20)), Ok(0));
    }
}

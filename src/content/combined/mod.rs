//! Writes several values into one file. Each value is text, also in JSON and YAML.

mod dotenv;
mod json;
mod properties;
mod yaml;

use std::fmt::{self, Write};

use crate::spec::{combine::CombineFormat, sensitive::Sensitive};

/// A key and its value.
pub type Pair<'a> = (&'a str, &'a str);

/// Why values cannot be written. No variant holds any part of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CombineError {
    /// A value holds a NUL character, and no variable of a shell can.
    #[error("its value holds a NUL character, which no variable of a shell can hold; use another format")]
    NulInVariable,
}

/// Checks that a file of `format` can hold a value.
///
/// # Errors
/// The format has no form for the value.
pub fn check(format: CombineFormat, value: &str) -> Result<(), CombineError> {
    match format {
        CombineFormat::Dotenv if value.contains('\0') => Err(CombineError::NulInVariable),
        CombineFormat::Dotenv | CombineFormat::Properties | CombineFormat::Json | CombineFormat::Yaml => {
            Ok(())
        }
    }
}

/// Returns the length of the file of these pairs, in bytes.
pub fn length(format: CombineFormat, pairs: &[Pair<'_>]) -> usize {
    let mut length = Length(0);
    // Counting does not fail.
    let _ = write_to(format, pairs, &mut length);
    length.0
}

/// Returns the file of these pairs, in their order. The buffer never grows, so no copy of a value stays in memory that
/// is not wiped.
pub fn write(format: CombineFormat, pairs: &[Pair<'_>]) -> Sensitive<Vec<u8>> {
    let mut text = String::with_capacity(length(format, pairs));
    // A string takes all that is written.
    let _ = write_to(format, pairs, &mut text);
    Sensitive::new(text.into_bytes())
}

fn write_to(format: CombineFormat, pairs: &[Pair<'_>], out: &mut impl Write) -> fmt::Result {
    match format {
        CombineFormat::Dotenv => dotenv::write(pairs, out),
        CombineFormat::Properties => properties::write(pairs, out),
        CombineFormat::Json => json::write(pairs, out),
        CombineFormat::Yaml => yaml::write(pairs, out),
    }
}

/// A writer that counts bytes.
struct Length(usize);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests;

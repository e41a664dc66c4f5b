//! What an entry leaves in the volume when the vault does not have its object.

use std::str::FromStr;

use super::sensitive::Sensitive;

/// Whether an object, or a part of it, must exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// The mount fails without it.
    #[default]
    Required,
    /// The mount goes on without its files.
    Optional,
}

/// The action for a file whose content is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfAbsent {
    /// The mount fails.
    Fail,
    /// The volume has no such file.
    Omit,
    /// The file gets this text.
    Write(DefaultText),
}

/// The text of `default`: at most 4,096 bytes, written unchanged. Empty text is a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultText(Sensitive<String>);

/// Longest default, in bytes.
pub const MAX_DEFAULT: usize = 4_096;

/// A default is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is longer than {MAX_DEFAULT} bytes; store a long value in the vault")]
pub struct DefaultTooLong;

impl DefaultText {
    /// Returns the text; the caller must not keep a copy.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Returns the bytes of the file.
    pub fn bytes(&self) -> Sensitive<Vec<u8>> {
        Sensitive::new(self.0.expose().as_bytes().to_vec())
    }
}

impl FromStr for DefaultText {
    type Err = DefaultTooLong;

    fn from_str(text: &str) -> Result<Self, DefaultTooLong> {
        if text.len() > MAX_DEFAULT {
            return Err(DefaultTooLong);
        }
        Ok(Self(Sensitive::new(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_bounded_and_does_not_print() {
        for (text, good) in
            [(String::new(), true), ("x".repeat(MAX_DEFAULT), true), ("x".repeat(MAX_DEFAULT + 1), false)]
        {
            assert_eq!(text.parse::<DefaultText>().is_ok(), good, "{} bytes", text.len());
        }
        let default: DefaultText = " canary\n".parse().unwrap();
        assert_eq!(default.bytes().expose(), b" canary\n");
        assert!(!format!("{default:?}").contains("canary"));
    }
}

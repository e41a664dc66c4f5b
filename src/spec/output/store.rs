//! PKCS#12 stores among the files of an object.

use std::{fmt, str::FromStr};

use crate::spec::object::ObjectName;

use super::words::words;

/// A PKCS#12 store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    /// `alias`
    pub alias: Alias,
    /// `profile`
    pub profile: StoreProfile,
    /// `passwordObject`: the secret with the password. `None` means the empty password.
    pub password: Option<ObjectName>,
}

words! {
    /// `profile`: the algorithms of a store.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub enum StoreProfile, UnknownProfile = "is unknown; use Modern2023 or LegacyDES";
    /// PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC, and a MAC with SHA-256.
    #[default]
    Modern2023 = "Modern2023",
    /// PBES1 with 3DES, and a MAC with SHA-1, for old readers.
    LegacyDes = "LegacyDES",
}

/// `alias`: the friendly name of an entry in a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Alias(String);

/// Longest alias, in bytes.
pub const MAX_ALIAS: usize = 128;

/// A text is not an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an alias; use 1 to {MAX_ALIAS} bytes without control characters and without emoji")]
pub struct InvalidAlias;

impl Alias {
    /// Returns the alias as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the alias of one among several entries: `alias-1`.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Self {
        Self(format!("{}-{number}", self.0))
    }
}

impl Default for Alias {
    fn default() -> Self {
        Self("certificate".to_owned())
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Alias {
    type Err = InvalidAlias;

    fn from_str(text: &str) -> Result<Self, InvalidAlias> {
        // A BMPString holds the basic plane alone: RFC 2985, section 5.5.1.
        let good = |c: char| !c.is_control() && u32::from(c) < 0xffff;
        if (1..=MAX_ALIAS).contains(&text.len()) && text.chars().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidAlias)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_fits_a_bmp_string() {
        let (long, longer) = ("x".repeat(MAX_ALIAS), "x".repeat(MAX_ALIAS + 1));
        for (text, good) in [
            ("certificate", true),
            ("my app", true),
            ("größe", true),
            (long.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("a\nb", false),
            ("\u{1f511}", false),
        ] {
            assert_eq!(text.parse::<Alias>().is_ok(), good, "{text:?}");
        }
        assert_eq!(Alias::default().numbered(2).as_str(), "certificate-2");
    }
}

//! The password of an archive, in the two forms that key derivations hash.

use std::fmt;

use zeroize::Zeroizing;

/// A password as RFC 7292 and as RFC 8018 hash it.
pub(super) struct Password<'a> {
    text: &'a str,
    /// UTF-16 in big endian with a terminator: RFC 7292, appendix B.1. Characters beyond the basic plane are surrogate
    /// pairs, as OpenSSL, Java and .NET write them.
    utf16: Zeroizing<Vec<u8>>,
}

impl<'a> Password<'a> {
    /// Returns the forms of `text`. The empty password becomes the terminator alone.
    pub(super) fn new(text: &'a str) -> Self {
        // No reallocation leaves a copy behind: UTF-16 has two bytes at most for each byte of UTF-8.
        let mut utf16 = Zeroizing::new(Vec::with_capacity(2 * text.len() + TERMINATOR.len()));
        for unit in text.encode_utf16() {
            utf16.extend_from_slice(&unit.to_be_bytes());
        }
        utf16.extend_from_slice(&TERMINATOR);
        Self { text, utf16 }
    }

    /// Returns the second form of the empty password: some tools hash no bytes at all instead of the terminator.
    pub(super) fn absent() -> Self {
        Self { text: "", utf16: Zeroizing::default() }
    }

    /// Returns the bytes for PBES1 and the MAC.
    pub(super) fn utf16(&self) -> &[u8] {
        &self.utf16
    }

    /// Returns the bytes for PBES2. RFC 9579 and all known tools use UTF-8.
    pub(super) fn utf8(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Returns the kind of password for messages.
    pub(super) fn kind(&self) -> PasswordKind {
        if self.text.is_empty() { PasswordKind::Empty } else { PasswordKind::Given }
    }
}

/// The kind of a password, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordKind {
    /// The empty password, under which Key Vault returns archives.
    Empty,
    /// A password of at least one character.
    Given,
}

impl fmt::Display for PasswordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the empty password",
            Self::Given => "the given password",
        })
    }
}

const TERMINATOR: [u8; 2] = [0, 0];

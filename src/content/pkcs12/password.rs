//! The empty password, which has two forms.

/// RFC 7292, appendix B.1, makes a password a BMPString with a terminator, so the empty password is two zero bytes.
/// Some tools hash no bytes at all instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EmptyPassword {
    /// Two zero bytes.
    Terminator,
    /// No bytes.
    Absent,
}

impl EmptyPassword {
    /// Returns the bytes that the key derivation of RFC 7292 hashes. PBES2 hashes no bytes in either form.
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Terminator => &[0, 0],
            Self::Absent => &[],
        }
    }
}

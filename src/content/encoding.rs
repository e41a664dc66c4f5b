//! The text encodings of a secret's value: utf-8, base64 and hex.

use data_encoding::{BASE64_MIME_PERMISSIVE, Encoding, HEXLOWER_PERMISSIVE};
use zeroize::Zeroizing;

use crate::spec::{rendering::SecretEncoding, sensitive::Sensitive};

/// Decodes `text`.
///
/// # Errors
/// The text is not in `encoding`.
pub fn decode(text: &str, encoding: SecretEncoding) -> Result<Sensitive<Vec<u8>>, EncodingError> {
    let mut bytes = match encoding {
        SecretEncoding::Utf8 => Zeroizing::new(text.as_bytes().to_vec()),
        SecretEncoding::Base64 => base64(text.as_bytes())?,
        SecretEncoding::Hex => {
            decode_with(&HEXLOWER_PERMISSIVE, text.as_bytes()).ok_or(EncodingError::Hex)?
        }
    };
    Ok(Sensitive::new(std::mem::take(&mut *bytes)))
}

/// Why a text cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// The text is not base64.
    #[error("not base64 of the standard alphabet with padding")]
    Base64,
    /// The text is not hex.
    #[error("not an even number of hex digits")]
    Hex,
}

/// Decodes standard base64 (RFC 4648, section 4) with padding.
///
/// Compat: line ends are skipped anywhere, and trailing bits that belong to no byte may be set.
pub(super) fn base64(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, EncodingError> {
    // The decoder accepts several padded texts in a row, but a value is only one text.
    let padding = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
    if text[padding..].iter().any(|byte| !matches!(byte, b'=' | b'\r' | b'\n')) {
        return Err(EncodingError::Base64);
    }
    decode_with(&BASE64_MIME_PERMISSIVE, text).ok_or(EncodingError::Base64)
}

fn decode_with(encoding: &Encoding, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; encoding.decode_len(text.len()).ok()?]);
    let written = encoding.decode_mut(text, &mut bytes).ok()?;
    bytes.truncate(written);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, encoding: SecretEncoding) -> Result<Vec<u8>, EncodingError> {
        decode(text, encoding).map(|bytes| bytes.expose().clone())
    }

    #[test]
    fn utf8_is_the_text_itself() {
        for text in ["", "a\r\nb\n", "héllo \u{1f511}"] {
            assert_eq!(decoded(text, SecretEncoding::Utf8).unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn base64_is_decoded_as_in_provider_azure() {
        let rows: [(&str, &str, Option<&[u8]>); 20] = [
            ("empty", "", Some(b"")),
            ("one byte", "Zg==", Some(b"f")),
            ("two bytes", "Zm8=", Some(b"fo")),
            ("three bytes", "Zm9v", Some(b"foo")),
            ("binary", "//79/A==", Some(b"\xff\xfe\xfd\xfc")),
            ("lines", "Zm9v\r\nYmFy\n", Some(b"foobar")),
            ("line end within a group", "Z\nm\r9v", Some(b"foo")),
            ("line end within the padding", "Zg=\n=\r\n", Some(b"f")),
            ("only line ends", "\r\n", Some(b"")),
            ("unused bits set", "Zh==", Some(b"f")),
            ("no padding", "Zg", None),
            ("half the padding", "Zg=", None),
            ("padding alone", "====", None),
            ("too much padding", "Zg===", None),
            ("text after the padding", "Zg==Zg==", None),
            ("url alphabet", "__79_A==", None),
            ("space", "Zm 9v", None),
            ("tab", "Zm9v\t", None),
            ("single digit", "Z", None),
            ("not ASCII", "Zm9é", None),
        ];
        for (label, text, expected) in rows {
            let expected = expected.map(<[u8]>::to_vec).ok_or(EncodingError::Base64);
            assert_eq!(decoded(text, SecretEncoding::Base64), expected, "{label}");
        }
    }

    #[test]
    fn hex_takes_either_case_and_whole_bytes_only() {
        let rows: [(&str, &str, Option<&[u8]>); 7] = [
            ("empty", "", Some(b"")),
            ("lower", "00ff", Some(b"\x00\xff")),
            ("mixed", "aBcD", Some(b"\xab\xcd")),
            ("odd", "abc", None),
            ("letter", "zz", None),
            ("prefix", "0xab", None),
            ("line end", "ab\n", None),
        ];
        for (label, text, expected) in rows {
            let expected = expected.map(<[u8]>::to_vec).ok_or(EncodingError::Hex);
            assert_eq!(decoded(text, SecretEncoding::Hex), expected, "{label}");
        }
    }
}

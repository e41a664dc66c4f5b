//! What kind of file some contents are, without showing them.

use serde::de::IgnoredAny;

/// Returns the kind of a file: `text`, `PEM: private key, 2 certificates`, `PKCS#12`.
pub(super) fn of(contents: &[u8]) -> String {
    if contents.is_empty() {
        return "empty".to_owned();
    }
    if is_pkcs12(contents) {
        return "PKCS#12".to_owned();
    }
    if contents.starts_with(&JKS) {
        return "Java keystore".to_owned();
    }
    let Ok(text) = std::str::from_utf8(contents) else { return "binary".to_owned() };
    if let Some(pem) = pem(text) {
        return format!("PEM: {pem}");
    }
    let is_json =
        text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok();
    if is_json {
        return "JSON".to_owned();
    }
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.contains(is_control) { "binary" } else { "text" }.to_owned()
}

/// The magic number of a Java keystore.
const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// Returns whether contents begin as a PFX of version 3 (RFC 7292 section 4): a sequence that begins with the integer 3.
fn is_pkcs12(contents: &[u8]) -> bool {
    let Some((0x30, rest)) = contents.split_first().map(|(tag, rest)| (*tag, rest)) else { return false };
    let Some((length, rest)) = rest.split_first() else { return false };
    // A length of more than 127 is in further bytes, whose count is in the low bits.
    let further = if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) };
    rest.get(further..).is_some_and(|body| body.starts_with(&[0x02, 0x01, 0x03]))
}

/// Returns the blocks of a PEM text; `None` if it has none.
fn pem(text: &str) -> Option<String> {
    let labels = text.lines().filter_map(|line| {
        line.trim_end().strip_prefix("-----BEGIN ").and_then(|line| line.strip_suffix("-----"))
    });
    let (mut certificates, mut private_keys, mut public_keys, mut others) = (0, 0, 0, 0);
    for label in labels {
        match label {
            "CERTIFICATE" => certificates += 1,
            "PUBLIC KEY" => public_keys += 1,
            label if label.ends_with("PRIVATE KEY") => private_keys += 1,
            _ => others += 1,
        }
    }
    let blocks: Vec<String> = [
        (private_keys, "private key"),
        (public_keys, "public key"),
        (certificates, "certificate"),
        (others, "other block"),
    ]
    .into_iter()
    .filter_map(|(count, what)| match count {
        0 => None,
        1 => Some(what.to_owned()),
        _ => Some(format!("{count} {what}s")),
    })
    .collect();
    (!blocks.is_empty()).then(|| blocks.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_without_their_contents() {
        let block = |label: &str| format!("-----BEGIN {label}-----\nTWF5\n-----END {label}-----\n");
        for (contents, expected) in [
            (Vec::new(), "empty"),
            (b"hunter2\n".to_vec(), "text"),
            ("zoë\t".as_bytes().to_vec(), "text"),
            (b"a\0b".to_vec(), "binary"),
            (vec![0xff, 0xfe], "binary"),
            (b" {\"a\": 1}".to_vec(), "JSON"),
            (b"{not json".to_vec(), "text"),
            (block("CERTIFICATE").into_bytes(), "PEM: certificate"),
            (
                [block("PRIVATE KEY"), block("CERTIFICATE"), block("CERTIFICATE")].concat().into_bytes(),
                "PEM: private key, 2 certificates",
            ),
            (block("EC PRIVATE KEY").into_bytes(), "PEM: private key"),
            (block("PUBLIC KEY").into_bytes(), "PEM: public key"),
            (vec![0x30, 0x82, 0x0a, 0x01, 0x02, 0x01, 0x03, 0x30], "PKCS#12"),
            (vec![0x30, 0x05, 0x02, 0x01, 0x03, 0x30, 0x00], "PKCS#12"),
            (vec![0x30, 0x82], "binary"),
            (vec![0xfe, 0xed, 0xfe, 0xed, 0, 0], "Java keystore"),
        ] {
            assert_eq!(of(&contents), expected, "{contents:?}");
        }
    }
}

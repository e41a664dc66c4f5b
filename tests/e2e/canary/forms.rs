//! The encodings in which a secret can appear in a log.

use std::fmt::Write as _;

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use serde_json::json;

use super::VALUE;

/// Fails if the output contains a canary, each given with its name, or any token, archive or key.
pub(super) fn nothing_secret_is_in(said: &str, canaries: &[(&str, &[u8])]) {
    for (name, canary) in canaries {
        for form in forms(canary) {
            assert!(!said.contains(&form), "{name} leaked as {form}:\n{said}");
        }
    }
    // Tokens that were issued at run time, by Entra and for kubelet.
    assert!(!said.contains("eyJ"), "the text has a token:\n{said}");
    // Archives of PKCS#12 and keys in base64 begin with a long SEQUENCE.
    assert!(!said.contains("MII"), "the text has an archive or a key:\n{said}");
}

/// Returns the canary as it is, and encoded: base64 at each of its three offsets, hex, URL, and a list of numbers.
fn forms(canary: &[u8]) -> Vec<String> {
    let mut forms = vec![HEXLOWER.encode(canary), HEXUPPER.encode(canary), format!("{canary:?}")];
    forms.extend(std::str::from_utf8(canary).map(str::to_owned));
    forms.extend(std::str::from_utf8(canary).map(|text| text.escape_debug().to_string()));
    for start in 0..3 {
        let whole = &canary[start..];
        let whole = &whole[..whole.len() / 3 * 3];
        forms.extend([BASE64.encode(whole), BASE64URL.encode(whole)]);
    }
    for kept in ["-._~", "-_.!~*'()", "/-._~", ""] {
        let mut percent = String::new();
        for &byte in canary {
            match byte {
                b if b.is_ascii_alphanumeric() || kept.as_bytes().contains(&b) => percent.push(char::from(b)),
                b => write!(percent, "%{b:02X}").unwrap(),
            }
        }
        forms.push(percent.replace("%20", "+"));
        forms.push(percent);
    }
    forms
}

#[test]
fn canary_is_detected_in_every_encoding() {
    let canary = VALUE.as_bytes();
    let found = |text: String| forms(canary).iter().any(|form| text.contains(form));
    assert!(found(format!("value={VALUE}")) && found(format!("{VALUE:?}")) && found(format!("{canary:?}")));
    assert!(found(json!({ "value": VALUE }).to_string()));
    for before in ["", "a", "ab", "abc"] {
        let bytes = [before.as_bytes(), canary, b"z"].concat();
        assert!(
            found(BASE64.encode(&bytes)) && found(BASE64URL.encode(&bytes)) && found(HEXLOWER.encode(&bytes))
        );
    }
    let url = reqwest::Url::parse_with_params("https://lab/", [("value", VALUE)]).unwrap();
    assert!(found(url.to_string()), "{url}");
    assert!(!found("nothing of the kind".to_owned()));
}

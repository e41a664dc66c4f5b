use aws_lc_rs::signature::KeyPair as _;
use time::Duration;

use super::*;

fn text(name: &str) -> String {
    String::from_utf8(crate::content::fixture(name)).unwrap()
}

/// A moment within the validity of the fixtures.
fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn fault(text: &str) -> ClientKeyError {
    ClientKey::open(text, "", now()).unwrap_err()
}

#[test]
fn a_certificate_outside_its_validity_is_refused_with_the_date() {
    let rsa = text("rsa.pem");
    let key = ClientKey::open(&rsa, "", now()).unwrap();
    let (_, leaf) = X509Certificate::from_der(&key.certificates[0]).unwrap();
    let (from, until) = (leaf.validity().not_before, leaf.validity().not_after);
    let at = |unix| OffsetDateTime::from_unix_timestamp(unix).unwrap();
    let (from, until) = (at(from.timestamp()), at(until.timestamp()));
    let open = |moment| ClientKey::open(&rsa, "", moment).map(drop);
    assert_eq!(open(from), Ok(()));
    assert_eq!(open(until), Ok(()));
    let second = Duration::seconds(1);
    assert_eq!(open(from - second), Err(ClientKeyError::NotYetValid(from.format(&Rfc3339).unwrap())));
    assert_eq!(open(until + second), Err(ClientKeyError::Expired(until.format(&Rfc3339).unwrap())));
}

#[test]
fn an_archive_and_its_pem_are_the_same_key() {
    let (pem, pfx) = (text("rsa.pem"), data_encoding::BASE64.encode(&crate::content::fixture("pbes2.pfx")));
    let open = |text: &str| ClientKey::open(text, "", now()).unwrap();
    let (one, two) = (open(&pem), open(&format!("\n{pfx}\n")));
    assert_eq!(one.certificates, two.certificates);
    let public = |key: &ClientKey| key.pair.public_key().as_ref().to_vec();
    assert_eq!(public(&one), public(&two));
}

#[test]
fn other_content_is_refused() {
    for file in ["p256.pem", "ed25519.pem", "secp256k1.pem", "shuffled-chain.pem"] {
        assert_eq!(fault(&text(file)), ClientKeyError::NotRsa, "{file}");
    }
    let two = text("rsa.pem") + &text("rsa.pem");
    assert_eq!(fault(&two), ClientKeyError::SeveralKeys(2));
    for other in ["", "canary", "AAAA", "%%%%"] {
        assert_eq!(fault(other), ClientKeyError::UnknownFormat, "{other}");
    }
    let broken = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";
    assert!(matches!(fault(broken), ClientKeyError::Key(_)));
}

#[test]
fn a_client_certificate_that_an_editor_of_windows_saved_is_read() {
    let saved = format!("\u{feff}{}", text("rsa.pem").replace('\n', "\r\n"));
    let key = ClientKey::open(&saved, "", now()).unwrap();
    assert_eq!(key.certificates, ClientKey::open(&text("rsa.pem"), "", now()).unwrap().certificates);
}

#[test]
fn an_indented_or_cut_client_certificate_does_not_seem_to_lack_its_key() {
    let whole = text("rsa.pem");
    let indented: String = whole.lines().map(|line| format!("  {line}\n")).collect();
    let end = whole.find("-----END PRIVATE KEY").unwrap();
    let cut = format!("{}{}", &whole[..end], &whole[whole.find("-----BEGIN CERTIFICATE").unwrap()..]);
    for broken in [indented, cut, whole[..end].to_owned(), whole.replacen("MII", "M!I", 1)] {
        assert_eq!(fault(&broken), ClientKeyError::BrokenBlock, "{broken}");
    }
}

#[test]
fn a_client_certificate_is_bounded_in_bytes() {
    assert_eq!(fault(&"A".repeat(MAX_BYTES + 1)), ClientKeyError::TooLong);
    assert_ne!(fault(&"A".repeat(MAX_BYTES)), ClientKeyError::TooLong);
}

#[test]
fn a_key_does_not_show_in_debug_output() {
    let key = ClientKey::open(&text("rsa.pem"), "", now()).unwrap();
    assert_eq!(format!("{key:?}"), "ClientKey");
}

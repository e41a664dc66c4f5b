use data_encoding::BASE64;

use super::*;
use crate::content::{encoding::EncodingError, fixture, pem, pkcs12::Pkcs12Error};

/// A certificate secret of PKCS#12 as PEM, the chain constructed.
fn certificate(value: &str) -> Result<String, ContentError> {
    render(value, Some(PKCS12), SecretFormat::Pem, SecretEncoding::Utf8, CertificateSettings::default())
        .map(|content| String::from_utf8(content.whole.expose().clone()).unwrap())
}

fn archive(name: &str) -> Result<String, ContentError> {
    certificate(&BASE64.encode(&fixture(name)))
}

#[test]
fn archives_become_key_and_chain() {
    for (name, expected) in [
        ("3des.pfx", "rsa.pem"),
        ("rc2-40.pfx", "rsa.pem"),
        ("pbes2.pfx", "rsa.pem"),
        ("pbes2-aes-128.pfx", "p256.pem"),
        ("plain.pfx", "p256.pem"),
        ("plain-no-mac.pfx", "p256.pem"),
        ("absent-password.pfx", "p256.pem"),
        ("p384.pfx", "p384.pem"),
        ("p521.pfx", "p521.pem"),
        ("secp256k1.pfx", "secp256k1.pem"),
        ("ed25519.pfx", "ed25519.pem"),
        ("shuffled-chain.pfx", "shuffled-chain.pem"),
    ] {
        assert_eq!(archive(name).unwrap(), String::from_utf8(fixture(expected)).unwrap(), "{name}");
    }
}

#[test]
fn an_archive_of_one_kind_becomes_what_there_is() {
    let whole = String::from_utf8(fixture("p256.pem")).unwrap();
    let (key, certificate) = whole.split_at(whole.find("-----BEGIN CERTIFICATE").unwrap());
    assert_eq!(archive("key-only.pfx").unwrap(), key);
    assert_eq!(archive("certificates-only.pfx").unwrap(), certificate);
}

#[test]
fn the_stored_order_can_be_kept() {
    let value = BASE64.encode(&fixture("shuffled-chain.pfx"));
    let stored = render(
        &value,
        Some(PKCS12),
        SecretFormat::Pem,
        SecretEncoding::Utf8,
        CertificateSettings { order: ChainOrder::AsStored, files: PemFiles::Together },
    )
    .unwrap();
    let stored = std::str::from_utf8(stored.whole.expose()).unwrap();
    let constructed = certificate(&value).unwrap();
    assert_ne!(stored, constructed);
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(stored), sorted(&constructed));
}

#[test]
fn only_certificates_in_pem_are_converted() {
    let pfx = fixture("3des.pfx");
    let text = BASE64.encode(&pfx);
    let rows = [
        ("plain", "a\r\nb", None, SecretFormat::Pem, SecretEncoding::Utf8, "a\r\nb".as_bytes()),
        ("plain, pfx", "value", None, SecretFormat::Pfx, SecretEncoding::Utf8, "value".as_bytes()),
        ("plain, base64", "AAEC", None, SecretFormat::Pem, SecretEncoding::Base64, &[0, 1, 2]),
        (
            "pem",
            "not looked at",
            Some(PEM_FILE),
            SecretFormat::Pfx,
            SecretEncoding::Utf8,
            "not looked at".as_bytes(),
        ),
        ("pfx", &text, Some(PKCS12), SecretFormat::Pfx, SecretEncoding::Utf8, text.as_bytes()),
        ("binary pfx", &text, Some(PKCS12), SecretFormat::Pfx, SecretEncoding::Base64, &pfx[..]),
    ];
    for (label, value, backing, format, encoding, expected) in rows {
        let content = render(value, backing, format, encoding, CertificateSettings::default()).unwrap();
        assert_eq!(content.whole.expose(), expected, "{label}");
    }
}

#[test]
fn failures_say_which_step_failed() {
    let rows = [
        ("not base64", certificate("MII*"), ContentError::Pkcs12Text(EncodingError::Base64)),
        ("cut short", certificate("MIIBAGdhcmJhZ2U="), ContentError::Pkcs12(Pkcs12Error::Truncated)),
        ("empty", certificate(""), ContentError::Pkcs12(Pkcs12Error::Truncated)),
        ("password", archive("password.pfx"), ContentError::Pkcs12(Pkcs12Error::WrongPassword)),
    ];
    for (label, result, expected) in rows {
        assert_eq!(result, Err(expected), "{label}");
    }
    let value = BASE64.encode(&fixture("3des.pfx"));
    let decoded = render(
        &value,
        Some(PKCS12),
        SecretFormat::Pem,
        SecretEncoding::Base64,
        CertificateSettings::default(),
    );
    assert_eq!(decoded.unwrap_err(), ContentError::Encoding(EncodingError::Base64), "PEM is not base64");
}

#[test]
fn an_unknown_content_type_is_named() {
    for (content_type, shown) in
        [("application/json", "\"application/json\""), ("", "\"\""), ("a\nb", "\"a\\nb\"")]
    {
        let error = render(
            "x",
            Some(content_type),
            SecretFormat::Pfx,
            SecretEncoding::Utf8,
            CertificateSettings::default(),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the secret backs a certificate of content type {shown}, \
                 expected application/x-pem-file or application/x-pkcs12"
            )
        );
    }
}

#[test]
fn errors_hold_nothing_of_the_value() {
    let marker = "hunter2hunter2";
    for (backing, encoding) in
        [(None, SecretEncoding::Base64), (None, SecretEncoding::Hex), (Some(PKCS12), SecretEncoding::Utf8)]
    {
        let error =
            render(marker, backing, SecretFormat::Pem, encoding, CertificateSettings::default()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
}

#[test]
fn a_rendered_archive_splits_into_its_two_halves() {
    let whole = archive("shuffled-chain.pfx").unwrap();
    let halves = pem::split(&whole);
    let mut together = halves.keys.expose().clone();
    together.extend_from_slice(halves.certificates.expose());
    assert_eq!(together, whole.as_bytes());
}

#[test]
fn certificate_and_key_can_have_files_of_their_own() {
    let settings = CertificateSettings { order: ChainOrder::Construct, files: PemFiles::Separate };
    let value = BASE64.encode(&fixture("shuffled-chain.pfx"));
    let content = |backing, format, encoding| render(&value, backing, format, encoding, settings).unwrap();

    let pem = content(Some(PKCS12), SecretFormat::Pem, SecretEncoding::Utf8);
    let separate = pem.separate.unwrap();
    let together = [separate.keys.expose().as_slice(), separate.certificates.expose()].concat();
    assert_eq!(together, *pem.whole.expose());

    let pfx = content(Some(PKCS12), SecretFormat::Pfx, SecretEncoding::Base64).separate.unwrap();
    assert!(pfx.certificates.expose().is_empty() && pfx.keys.expose().is_empty());

    assert!(content(None, SecretFormat::Pem, SecretEncoding::Utf8).separate.is_none(), "a plain secret");
}

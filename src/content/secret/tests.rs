use data_encoding::BASE64;

use super::*;
use crate::content::{
    encoding::EncodingError,
    fixture, pem,
    pkcs12::{PasswordKind, Pkcs12Error},
};

/// Converts a PKCS#12 certificate's secret to PEM with a constructed chain.
fn certificate(value: &str) -> Result<String, ContentError> {
    render(
        value,
        Some(PKCS12),
        SecretFormat::Pem,
        SecretEncoding::Utf8,
        CertificateSettings::default(),
        &mut Work::of_mount(),
    )
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
        ("renewed.pfx", "renewed.pem"),
        ("renewed-self-signed.pfx", "renewed-self-signed.pem"),
    ] {
        assert_eq!(archive(name).unwrap(), String::from_utf8(fixture(expected)).unwrap(), "{name}");
    }
}

#[test]
fn an_archive_with_only_keys_or_only_certificates_is_converted() {
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
        &mut Work::of_mount(),
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
        let content =
            render(value, backing, format, encoding, CertificateSettings::default(), &mut Work::of_mount())
                .unwrap();
        assert_eq!(content.whole.expose(), expected, "{label}");
    }
}

#[test]
fn failures_say_which_step_failed() {
    let rows = [
        ("not base64", certificate("MII*"), ContentError::Pkcs12Text(EncodingError::Base64)),
        ("cut short", certificate("MIIBAGdhcmJhZ2U="), ContentError::Pkcs12(Pkcs12Error::Truncated)),
        ("empty", certificate(""), ContentError::Pkcs12(Pkcs12Error::Truncated)),
        (
            "password",
            archive("password.pfx"),
            ContentError::Pkcs12(Pkcs12Error::WrongPassword(PasswordKind::Empty)),
        ),
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
        &mut Work::of_mount(),
    );
    assert_eq!(decoded.unwrap_err(), ContentError::PemNotEncoded, "PEM is not base64");
}

#[test]
fn pem_is_reported_as_pem_if_pfx_or_an_encoding_was_requested() {
    const BLOCK: &str = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";
    let with_attributes = format!("Bag Attributes\n    localKeyID: 01\n{BLOCK}");
    for value in
        [BLOCK, with_attributes.as_str(), &format!("\u{feff}\n {BLOCK}"), "-----BEGIN CERTIFICATE-----"]
    {
        let read = |backing, format, encoding| {
            let error = render(
                value,
                backing,
                format,
                encoding,
                CertificateSettings::default(),
                &mut Work::of_mount(),
            )
            .unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
            error
        };
        for encoding in [SecretEncoding::Base64, SecretEncoding::Hex] {
            for backing in [None, Some(PEM_FILE), Some(PKCS12)] {
                let error = read(backing, SecretFormat::Pfx, encoding);
                assert_eq!(error, ContentError::PemNotPfx, "{backing:?} {encoding:?}");
            }
            for backing in [None, Some(PEM_FILE)] {
                let error = read(backing, SecretFormat::Pem, encoding);
                assert_eq!(error, ContentError::PemNotEncoded, "{backing:?} {encoding:?}");
            }
        }
        assert_eq!(read(Some(PKCS12), SecretFormat::Pem, SecretEncoding::Utf8), ContentError::PemNotPkcs12);
    }
    let error = ContentError::PemNotPfx.to_string();
    assert!(error.contains("objectFormat") && error.contains("PEM"), "{error}");
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
            &mut Work::of_mount(),
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
        let error = render(
            marker,
            backing,
            SecretFormat::Pem,
            encoding,
            CertificateSettings::default(),
            &mut Work::of_mount(),
        )
        .unwrap_err();
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
    let content = |backing, format, encoding| {
        render(&value, backing, format, encoding, settings, &mut Work::of_mount()).unwrap()
    };

    let pem = content(Some(PKCS12), SecretFormat::Pem, SecretEncoding::Utf8);
    let whole = pem.whole.expose().clone();
    let joined = |content: SecretContent| {
        let SeparateParts { certificates, keys } = content.separate.unwrap();
        [keys.unwrap().expose().as_slice(), certificates.unwrap().expose()].concat()
    };
    assert_eq!(joined(pem), whole);
    for (encoding, archive) in [
        (SecretEncoding::Base64, fixture("shuffled-chain.pfx")),
        (SecretEncoding::Utf8, value.clone().into_bytes()),
    ] {
        let pfx = content(Some(PKCS12), SecretFormat::Pfx, encoding);
        assert_eq!(*pfx.whole.expose(), archive);
        assert_eq!(joined(pfx), whole, "the parts of the archive");
    }

    assert!(content(None, SecretFormat::Pem, SecretEncoding::Utf8).separate.is_none(), "a plain secret");
}

#[test]
fn a_part_that_a_secret_lacks_is_missing_and_not_empty() {
    let settings = CertificateSettings { order: ChainOrder::Construct, files: PemFiles::Separate };
    let parts = |value: &str, backing, format| {
        let content =
            render(value, Some(backing), format, SecretEncoding::Utf8, settings, &mut Work::of_mount())
                .unwrap();
        let SeparateParts { certificates, keys } = content.separate.unwrap();
        (certificates.map(|part| part.expose().len()), keys.map(|part| part.expose().len()))
    };
    let archive = |name: &str| BASE64.encode(&fixture(name));
    let pem = String::from_utf8(fixture("p256.pem")).unwrap();
    let (key, certificate) = pem.split_at(pem.find("-----BEGIN CERTIFICATE").unwrap());
    for format in [SecretFormat::Pem, SecretFormat::Pfx] {
        for (value, backing, expected) in [
            (&*archive("key-only.pfx"), PKCS12, (Err(MissingPart::Certificate), Ok(key.len()))),
            (&*archive("certificates-only.pfx"), PKCS12, (Ok(certificate.len()), Err(MissingPart::Key))),
            (&*archive("plain.pfx"), PKCS12, (Ok(certificate.len()), Ok(key.len()))),
            (key, PEM_FILE, (Err(MissingPart::Certificate), Ok(key.len()))),
            (certificate, PEM_FILE, (Ok(certificate.len()), Err(MissingPart::Key))),
            ("neither", PEM_FILE, (Err(MissingPart::Certificate), Err(MissingPart::Key))),
        ] {
            assert_eq!(parts(value, backing, format), expected, "{format:?}");
        }
    }
    // The content type is wrong, and the requested archive is PEM.
    assert_eq!(parts(&pem, PKCS12, SecretFormat::Pfx), (Ok(certificate.len()), Ok(key.len())));
}

#[test]
fn an_archive_is_mounted_unchanged_even_if_it_cannot_be_opened() {
    let settings = CertificateSettings { order: ChainOrder::Construct, files: PemFiles::Separate };
    for (value, cause) in [
        (
            BASE64.encode(&fixture("password.pfx")),
            ContentError::Pkcs12(Pkcs12Error::WrongPassword(PasswordKind::Empty)),
        ),
        ("MII*".to_owned(), ContentError::Pkcs12Text(EncodingError::Base64)),
    ] {
        let content = render(
            &value,
            Some(PKCS12),
            SecretFormat::Pfx,
            SecretEncoding::Utf8,
            settings,
            &mut Work::of_mount(),
        )
        .unwrap();
        assert_eq!(*content.whole.expose(), value.as_bytes());
        let SeparateParts { certificates, keys } = content.separate.unwrap();
        let unopened = MissingPart::Unopened(Box::new(cause));
        assert_eq!((certificates.unwrap_err(), keys.unwrap_err()), (unopened.clone(), unopened));
    }
}

//! The contents of vaults.

use std::borrow::Cow;

use akv_provider::{
    content::{
        certificate,
        chain::{self, ChainOrder},
        encoding,
        jwk::{self, PublicJwk},
        parts::Parts,
        pem,
        pkcs12::Archive,
        private_key::PrivateKey,
        secret::{self, CertificateSettings, PemFiles},
        work::Work,
    },
    spec::{
        output::{Alias, KeyEncoding, Part, PartFormat, Store, StoreProfile},
        rendering::{SecretEncoding, SecretFormat},
        sensitive::Sensitive,
    },
};
use data_encoding::BASE64;

/// A key type, a curve, and two numbers. The first number has its length in two bytes before it.
pub fn jwk(input: &[u8]) {
    let [kty, curve, high, low, rest @ ..] = input else { return };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (first, second) = rest.split_at(rest.len().min(length));
    let pick = |names: &[&str], by: u8| names[usize::from(by) % names.len()].to_owned();
    let numbers = (Some(first.to_vec()), Some(second.to_vec()));
    let (n, e) = numbers.clone();
    let (x, y) = numbers;
    let jwk = PublicJwk { kty: pick(&KEY_TYPES, *kty), curve: Some(pick(&CURVES, *curve)), n, e, x, y };
    if let Ok(text) = jwk::render(&jwk) {
        let text = String::from_utf8(text).expect("PEM is text");
        let split = pem::split(&text);
        assert_eq!(split.keys.expose(), text.as_bytes(), "what is written is one block");
    }
}

/// Key types by the number that [`jwk`] has for them.
pub const KEY_TYPES: [&str; 7] = ["RSA", "EC", "RSA-HSM", "EC-HSM", "oct", "", "other"];

/// Curves by the number that [`jwk`] has for them.
pub const CURVES: [&str; 6] = ["P-256", "P-384", "P-521", "P-256K", "", "other"];

/// A PKCS#12 archive.
pub fn pkcs12(input: &[u8]) {
    if let Ok(archive) = Archive::open(input, "", &mut Work::of_mount()) {
        let size: usize = archive.certificates.iter().map(Vec::len).sum();
        assert!(size <= input.len(), "more came out than went in");
        for key in &archive.keys {
            let _ = PrivateKey::from_pkcs8(key.expose());
        }
    }
}

/// A secret that is taken apart. The first byte has the length of the password and, in its highest bit, whether the rest
/// is an archive or a text.
pub fn parts(input: &[u8]) {
    let [how, rest @ ..] = input else { return };
    let (password, value) = rest.split_at(rest.len().min(usize::from(how & 0x7f)));
    let Ok(password) = std::str::from_utf8(password) else { return };
    let value = match how & 0x80 {
        0 => Cow::Owned(BASE64.encode(value)),
        _ => String::from_utf8_lossy(value),
    };
    let Ok(parts) = Parts::of(&value, password, ChainOrder::Construct, &mut Work::of_mount()) else { return };
    let mut key = None;
    for part in every_part() {
        let Ok(contents) = parts.write(&value, &part, password) else { continue };
        match part {
            Part::Key(KeyEncoding::Pkcs8, PartFormat::Der) => key = Some(contents),
            Part::Key(..) => {}
            Part::Keystore(_) => {
                let archive =
                    Archive::open(contents.expose(), password, &mut Work::of_mount()).expect("a store opens");
                let stored = archive.keys.first().map(Sensitive::expose);
                assert_eq!(stored, key.as_ref().map(Sensitive::expose), "the key of the store");
            }
            Part::Truststore(_) => {
                let archive =
                    Archive::open(contents.expose(), password, &mut Work::of_mount()).expect("a store opens");
                assert!(archive.keys.is_empty() && !archive.certificates.is_empty());
            }
            _ => assert!(!contents.expose().is_empty(), "a part without content is missing"),
        }
    }
}

fn every_part() -> Vec<Part> {
    let store = |profile| Store { alias: Alias::default(), profile, password: None };
    vec![
        Part::Key(KeyEncoding::Pkcs8, PartFormat::Der),
        Part::Key(KeyEncoding::Pkcs8, PartFormat::Pem),
        Part::Key(KeyEncoding::Traditional, PartFormat::Der),
        Part::Leaf(PartFormat::Pem),
        Part::Chain,
        Part::FullChain,
        Part::Ca(PartFormat::Der),
        Part::Combined(Some(KeyEncoding::Traditional)),
        Part::Keystore(store(StoreProfile::Modern2023)),
        Part::Truststore(store(StoreProfile::LegacyDes)),
        Part::TruststorePem,
    ]
}

/// A private key in PKCS#8.
pub fn private_key(input: &[u8]) {
    if let Ok(key) = PrivateKey::from_pkcs8(input) {
        let again = PrivateKey::from_pkcs8(key.pkcs8()).expect("what is written can be read");
        assert_eq!(again.pkcs8(), key.pkcs8());
        assert_eq!(again.public_key(), key.public_key());
    }
}

/// A PEM text; what is written must parse again.
pub fn pem(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let split = pem::split(text);
    for (part, is_certificates) in [(&split.certificates, true), (&split.keys, false)] {
        let again = pem::split(std::str::from_utf8(part.expose()).expect("blocks of a text are text"));
        let (same, other) = match is_certificates {
            true => (again.certificates, again.keys),
            false => (again.keys, again.certificates),
        };
        assert_eq!(same.expose(), part.expose(), "what is written is read as it was");
        assert!(other.expose().is_empty());
    }
}

/// Certificates, each with its length in two bytes before it.
pub fn chain(input: &[u8]) {
    let mut certificates = Vec::new();
    let mut rest = input;
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (certificate, after) = after.split_at(length.min(after.len()));
        certificates.push(certificate.to_vec());
        rest = after;
    }
    if let Ok(mut ordered) = chain::order(&certificates, &[], &mut Work::of_mount()) {
        let mut stored: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
        stored.sort_unstable();
        stored.dedup();
        ordered.sort_unstable();
        assert_eq!(ordered, stored, "each comes out once");
    }
    for certificate in &certificates {
        let _ = certificate::render(certificate);
    }
}

/// A secret's value. The first byte chooses content type, format, encoding and settings.
pub fn secret(input: &[u8]) {
    let [how, value @ ..] = input else { return };
    let Ok(value) = std::str::from_utf8(value) else { return };
    let backing = match how & 3 {
        0 => None,
        1 => Some("application/x-pem-file"),
        2 => Some("application/x-pkcs12"),
        _ => Some(""),
    };
    let format = if how & 4 == 0 { SecretFormat::Pem } else { SecretFormat::Pfx };
    let encoding = match how >> 3 & 3 {
        0 | 1 => SecretEncoding::Utf8,
        2 => SecretEncoding::Base64,
        _ => SecretEncoding::Hex,
    };
    let order = if how & 32 == 0 { ChainOrder::Construct } else { ChainOrder::AsStored };
    let files = if how & 64 == 0 { PemFiles::Together } else { PemFiles::Separate };
    let settings = CertificateSettings { order, files };
    if let Ok(content) = secret::render(value, backing, format, encoding, settings, &mut Work::of_mount()) {
        assert_eq!(content.separate.is_some(), backing.is_some() && files == PemFiles::Separate);
        for part in content.separate.into_iter().flat_map(|parts| [parts.certificates, parts.keys]).flatten()
        {
            assert!(!part.expose().is_empty(), "a part without content is missing");
        }
    }
    let decoded = encoding::decode(value, encoding);
    assert!(decoded.is_err() || decoded.is_ok_and(|bytes| bytes.expose().len() <= value.len()));
}

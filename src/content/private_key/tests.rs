use super::*;
use crate::content::{fixture, pem::PemText, pkcs12::Archive, work::Work};

fn key(name: &str) -> PrivateKey {
    let archive = Archive::open(&fixture(&format!("{name}.pfx")), "", &mut Work::of_mount()).unwrap();
    PrivateKey::from_pkcs8(archive.keys[0].expose()).unwrap()
}

fn text(key: &PrivateKey) -> String {
    let mut text = PemText::new();
    text.push_block("PRIVATE KEY", key.pkcs8());
    text.as_str().to_owned()
}

#[test]
fn every_algorithm_is_written_as_openssl_writes_it() {
    for (archive, expected) in [
        ("3des", "rsa.pem"),
        ("no-mac", "p256.pem"),
        ("p384", "p384.pem"),
        ("p521", "p521.pem"),
        ("secp256k1", "secp256k1.pem"),
        ("ed25519", "ed25519.pem"),
    ] {
        let expected = String::from_utf8(fixture(expected)).unwrap();
        assert!(expected.starts_with(&text(&key(archive))), "{archive}");
    }
}

#[test]
fn a_key_without_a_public_key_gets_one() {
    let without = fixture("p256-without-public-key.der");
    let key = PrivateKey::from_pkcs8(&without).unwrap();
    assert!(String::from_utf8(fixture("p256.pem")).unwrap().starts_with(&text(&key)));
    assert_eq!((key.public_key().len(), key.public_key()[0]), (65, 4));
}

#[test]
fn a_canonical_key_is_unchanged() {
    for name in ["3des", "p521", "secp256k1", "ed25519"] {
        let key = key(name);
        assert_eq!(PrivateKey::from_pkcs8(key.pkcs8()).unwrap().pkcs8(), key.pkcs8(), "{name}");
    }
}

/// Assembles a PKCS#8 key of P-256 from its parts.
fn assembled(version: u8, parameters: &[u8], body: &[u8], after: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[&EC_PUBLIC_KEY.to_der().unwrap(), parameters]);
    let body = OctetStringRef::new(body).unwrap().to_der().unwrap();
    sequence(&[&[2, 1, version], &algorithm, &body, after])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x30, parts)
}

fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u8::try_from(content.len()).unwrap();
    let header = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [header, content].concat()
}

const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The scalar one, whose public key is the generator.
fn scalar(length: usize) -> Vec<u8> {
    let mut scalar = vec![0; length];
    scalar[length - 1] = 1;
    tagged(4, &[&scalar])
}

#[test]
fn all_forms_of_a_key_give_the_same_bytes() {
    let plain = assembled(0, P256, &sequence(&[&[2, 1, 1], &scalar(32)]), &[]);
    let expected = PrivateKey::from_pkcs8(&plain).unwrap();
    let inner = sequence(&[&[2, 1, 1], &scalar(32), &tagged(0xa0, &[P256])]);
    let wrong_point = tagged(0xa1, &[&tagged(3, &[&[0, 4], &[9; 64]])]);
    let attributes =
        tagged(0xa0, &[&sequence(&[&[6, 3, 0x55, 0x1d, 0x0f], &tagged(0x31, &[&[3, 2, 0, 0x80]])])]);
    for (label, der) in [
        ("short scalar", assembled(0, P256, &sequence(&[&[2, 1, 1], &scalar(1)]), &[])),
        ("long scalar", assembled(0, P256, &sequence(&[&[2, 1, 1], &scalar(40)]), &[])),
        ("curve inside as well", assembled(0, P256, &inner, &[])),
        ("curve inside only", assembled(0, &[], &inner, &[])),
        (
            "stored point is wrong",
            assembled(0, P256, &sequence(&[&[2, 1, 1], &scalar(32), &wrong_point]), &[]),
        ),
        ("attributes", assembled(0, P256, &sequence(&[&[2, 1, 1], &scalar(32)]), &attributes)),
        ("version 2", assembled(1, P256, &sequence(&[&[2, 1, 1], &scalar(32)]), &tagged(0x81, &[&[0, 4]]))),
    ] {
        let key = PrivateKey::from_pkcs8(&der).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(key.pkcs8(), expected.pkcs8(), "{label}");
    }
    assert_eq!(expected.public_key()[..5], [4, 0x6b, 0x17, 0xd1, 0xf2]);
}

#[test]
fn unknown_keys_are_refused_with_the_cause() {
    let body = sequence(&[&[2, 1, 1], &scalar(32)]);
    let p224: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21];
    let order_and_more = tagged(4, &[&[0xff; 32]]);
    let dsa = sequence(&[&[2, 1, 0], &sequence(&[&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1]]), &[4, 0]]);
    let rsa = |body: &[u8]| {
        let body = tagged(4, &[body]);
        sequence(&[&[2, 1, 0], &AlgorithmIdentifier::RSA.to_der().unwrap(), &body])
    };
    let nine = |version: u8| sequence(&[&[2, 1, version], &[2, 1, 5].repeat(8)]);
    let rows = [
        ("empty", vec![], "the PKCS#8 structure of the private key is malformed"),
        (
            "DSA",
            dsa,
            "the algorithm 1.2.840.10040.4.1 of the private key is not supported, expected RSA, ECDSA or Ed25519",
        ),
        (
            "P-224",
            assembled(0, p224, &body, &[]),
            "the curve 1.3.132.0.33 of the private key is not supported, expected P-256, P-384, P-521 or secp256k1",
        ),
        ("no curve", assembled(0, &[], &body, &[]), "the private key does not name its curve"),
        (
            "explicit curve",
            assembled(0, &sequence(&[&[2, 1, 1]]), &body, &[]),
            "the private key does not name its curve",
        ),
        (
            "zero",
            assembled(0, P256, &sequence(&[&[2, 1, 1], &tagged(4, &[&[0; 32]])]), &[]),
            "the private key is outside the range of its curve",
        ),
        (
            "too large",
            assembled(0, P256, &sequence(&[&[2, 1, 1], &order_and_more]), &[]),
            "the private key is outside the range of its curve",
        ),
        (
            "too long",
            assembled(0, P256, &sequence(&[&[2, 1, 1], &tagged(4, &[&[1; 33]])]), &[]),
            "the private key is outside the range of its curve",
        ),
        (
            "body of another version",
            assembled(0, P256, &sequence(&[&[2, 1, 2], &scalar(32)]), &[]),
            "the elliptic curve body of the private key is malformed",
        ),
        (
            "RSA of three primes",
            rsa(&nine(1)),
            "RSA private keys with more than two primes are not supported",
        ),
        ("RSA of no version", rsa(&nine(7)), "the RSA body of the private key is malformed"),
        (
            "RSA without numbers",
            rsa(&sequence(&[&[2, 1, 0]])),
            "the RSA body of the private key is malformed",
        ),
    ];
    for (label, der, message) in rows {
        assert_eq!(PrivateKey::from_pkcs8(&der).unwrap_err().to_string(), message, "{label}");
    }
    assert!(PrivateKey::from_pkcs8(&rsa(&nine(0))).is_ok(), "the RSA rows fail for their version alone");
}

#[test]
fn broken_keys_never_panic() {
    for name in ["3des", "p521", "ed25519"] {
        let whole = key(name).pkcs8().to_vec();
        for at in 0..whole.len() {
            assert!(PrivateKey::from_pkcs8(&whole[..at]).is_err(), "{name} cut at {at}");
            let mut altered = whole.clone();
            altered[at] ^= 0x81;
            let _ = PrivateKey::from_pkcs8(&altered);
        }
    }
}

use std::time::Instant;

use super::*;
use crate::content::fixture;

fn open(name: &str) -> Result<Archive, Pkcs12Error> {
    Archive::open(&fixture(name))
}

#[test]
fn archives_of_every_protection_open() {
    for (name, keys, certificates) in [
        ("3des.pfx", 1, 1),
        ("rc2-40.pfx", 1, 1),
        ("pbes2.pfx", 1, 1),
        ("pbes2-aes-128.pfx", 1, 1),
        ("p521.pfx", 1, 1),
        ("no-mac.pfx", 1, 1),
        ("pbes1-two-iterations.pfx", 1, 1),
        ("pbes2-two-iterations.pfx", 1, 1),
        ("plain.pfx", 1, 1),
        ("plain-no-mac.pfx", 1, 1),
        ("shuffled-chain.pfx", 1, 6),
        ("key-only.pfx", 1, 0),
        ("certificates-only.pfx", 0, 1),
    ] {
        let archive = open(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((archive.keys.len(), archive.certificates.len()), (keys, certificates), "{name}");
    }
}

#[test]
fn an_empty_password_of_no_bytes_opens_as_well() {
    for name in ["absent-password.pfx", "absent-password-no-mac.pfx"] {
        let archive = open(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((archive.keys.len(), archive.certificates.len()), (1, 1), "{name}");
    }
}

#[test]
fn another_password_is_told_from_a_broken_archive() {
    assert_eq!(open("password.pfx").unwrap_err(), Pkcs12Error::WrongPassword);
    assert_eq!(open("password-no-mac.pfx").unwrap_err(), Pkcs12Error::Undecryptable);
    let whole = fixture("pbes2.pfx");
    assert_eq!(Archive::open(&whole[..whole.len() - 1]).unwrap_err(), Pkcs12Error::Truncated);
    assert_eq!(Archive::open(b"garbage").unwrap_err(), Pkcs12Error::Malformed("outer structure"));
    assert_eq!(Archive::open(b"").unwrap_err(), Pkcs12Error::Truncated);
    let mut altered = whole;
    altered[200] ^= 1;
    assert_eq!(Archive::open(&altered).unwrap_err(), Pkcs12Error::WrongPassword);
}

#[test]
fn hostile_iteration_counts_are_refused_at_once() {
    let started = Instant::now();
    assert_eq!(open("too-many-iterations.pfx").unwrap_err(), Pkcs12Error::TooMuchWork);
    for (label, count, error) in [
        ("negative", [0x80, 0x01], Pkcs12Error::Iterations),
        ("zero", [0x00, 0x00], Pkcs12Error::Malformed("outer structure")),
    ] {
        let mut pfx = fixture("3des.pfx");
        let at = pfx.len() - 2;
        assert_eq!(pfx[at..], [0x08, 0x00], "the MAC's iteration count, 2048, comes last");
        pfx[at..].copy_from_slice(&count);
        assert_eq!(Archive::open(&pfx).unwrap_err(), error, "{label}");
    }
    for (label, count, error) in [
        ("negative", [0x80, 0x01], Pkcs12Error::Iterations),
        ("not minimal", [0x00, 0x01], Pkcs12Error::Malformed("PBES1 parameters")),
    ] {
        let mut pfx = fixture("absent-password-no-mac.pfx");
        let at = pfx.windows(4).position(|window| window == [0x02, 0x02, 0x08, 0x00]).unwrap() + 2;
        pfx[at..at + 2].copy_from_slice(&count);
        assert_eq!(Archive::open(&pfx).unwrap_err(), error, "{label}");
    }
    assert!(started.elapsed().as_secs() < 5, "nothing was derived");
}

#[test]
fn an_unsupported_algorithm_is_named() {
    // The last byte of pbeWithSHAAnd3-KeyTripleDES-CBC turned into that of RC4.
    let mut pfx = fixture("absent-password-no-mac.pfx");
    let oid = [0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03];
    let at = pfx.windows(oid.len()).position(|window| window == oid).unwrap();
    pfx[at + oid.len() - 1] = 1;
    let message = Archive::open(&pfx).unwrap_err().to_string();
    assert_eq!(message, "the encryption algorithm 1.2.840.113549.1.12.1.1 of the archive is not supported");
}

#[test]
fn attributes_need_not_be_sorted() {
    let mut pfx = fixture("plain-no-mac.pfx");
    let whole = open("plain-no-mac.pfx").unwrap();
    // friendlyName and localKeyID, each a SEQUENCE of less than 128 bytes that starts 2 bytes before its OID.
    let find = |last: u8| {
        let oid = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, last];
        pfx.windows(oid.len()).position(|window| window == oid).unwrap() - 2
    };
    let (first, second) = (find(0x14).min(find(0x15)), find(0x14).max(find(0x15)));
    let end = second + 2 + usize::from(pfx[second + 1]);
    pfx[first..end].rotate_left(second - first);
    let swapped = Archive::open(&pfx).unwrap();
    assert_ne!(pfx, fixture("plain-no-mac.pfx"));
    assert_eq!(swapped.certificates, whole.certificates);
    assert_eq!(swapped.keys.len(), 1);
}

#[test]
fn broken_archives_never_panic() {
    for name in ["plain-no-mac.pfx", "pbes1-two-iterations.pfx", "pbes2-two-iterations.pfx"] {
        let whole = fixture(name);
        for cut in 0..whole.len() {
            assert!(Archive::open(&whole[..cut]).is_err(), "{name} cut at {cut}");
        }
        for at in 0..whole.len() {
            for flip in [0x01, 0x80] {
                let mut pfx = whole.clone();
                pfx[at] ^= flip;
                let _ = Archive::open(&pfx);
            }
        }
    }
}

#[test]
fn nothing_secret_is_shown() {
    let archive = open("plain.pfx").unwrap();
    let shown = format!("{:?}", archive.keys);
    assert_eq!(shown, "[[redacted]]");
}

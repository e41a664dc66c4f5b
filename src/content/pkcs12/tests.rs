use super::*;
use crate::content::{asn1::AlgorithmIdentifier, fixture};

fn open(name: &str) -> Result<Archive, Pkcs12Error> {
    Archive::open(&fixture(name), "", &mut Work::of_mount())
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
fn a_wrong_password_is_distinguished_from_a_broken_archive() {
    assert_eq!(open("password.pfx").unwrap_err(), Pkcs12Error::WrongPassword(PasswordKind::Empty));
    assert_eq!(open("password-no-mac.pfx").unwrap_err(), Pkcs12Error::Undecryptable(PasswordKind::Empty));
    let whole = fixture("pbes2.pfx");
    assert_eq!(
        Archive::open(&whole[..whole.len() - 1], "", &mut Work::of_mount()).unwrap_err(),
        Pkcs12Error::Truncated
    );
    assert_eq!(
        Archive::open(b"garbage", "", &mut Work::of_mount()).unwrap_err(),
        Pkcs12Error::Malformed("outer structure")
    );
    assert_eq!(Archive::open(b"", "", &mut Work::of_mount()).unwrap_err(), Pkcs12Error::Truncated);
    let mut altered = whole;
    altered[200] ^= 1;
    assert_eq!(
        Archive::open(&altered, "", &mut Work::of_mount()).unwrap_err(),
        Pkcs12Error::WrongPassword(PasswordKind::Empty)
    );
}

#[test]
fn hostile_iteration_counts_are_refused_at_once() {
    assert_eq!(open("too-many-iterations.pfx").unwrap_err(), Pkcs12Error::TooMuchWork);
    for (label, count, error) in [
        ("negative", [0x80, 0x01], Pkcs12Error::Iterations),
        ("zero", [0x00, 0x00], Pkcs12Error::Malformed("outer structure")),
    ] {
        let mut pfx = fixture("3des.pfx");
        let at = pfx.len() - 2;
        assert_eq!(pfx[at..], [0x08, 0x00], "the MAC's iteration count, 2048, comes last");
        pfx[at..].copy_from_slice(&count);
        assert_eq!(Archive::open(&pfx, "", &mut Work::of_mount()).unwrap_err(), error, "{label}");
    }
    for (label, count, error) in [
        ("negative", [0x80, 0x01], Pkcs12Error::Iterations),
        ("not minimal", [0x00, 0x01], Pkcs12Error::Malformed("PBES1 parameters")),
    ] {
        let mut pfx = fixture("absent-password-no-mac.pfx");
        let at = pfx.windows(4).position(|window| window == [0x02, 0x02, 0x08, 0x00]).unwrap() + 2;
        pfx[at..at + 2].copy_from_slice(&count);
        assert_eq!(Archive::open(&pfx, "", &mut Work::of_mount()).unwrap_err(), error, "{label}");
    }
}

#[test]
fn an_unsupported_algorithm_is_named() {
    // Changes the last byte of pbeWithSHAAnd3-KeyTripleDES-CBC to that of RC4.
    let mut pfx = fixture("absent-password-no-mac.pfx");
    let oid = [0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03];
    let at = pfx.windows(oid.len()).position(|window| window == oid).unwrap();
    pfx[at + oid.len() - 1] = 1;
    let message = Archive::open(&pfx, "", &mut Work::of_mount()).unwrap_err().to_string();
    assert_eq!(message, "the encryption algorithm 1.2.840.113549.1.12.1.1 of the archive is not supported");
}

#[test]
fn attributes_need_not_be_sorted() {
    let mut pfx = fixture("plain-no-mac.pfx");
    let whole = open("plain-no-mac.pfx").unwrap();
    // friendlyName and localKeyID: each is a SEQUENCE of less than 128 bytes that starts 2 bytes before its OID.
    let find = |last: u8| {
        let oid = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, last];
        pfx.windows(oid.len()).position(|window| window == oid).unwrap() - 2
    };
    let (first, second) = (find(0x14).min(find(0x15)), find(0x14).max(find(0x15)));
    let end = second + 2 + usize::from(pfx[second + 1]);
    pfx[first..end].rotate_left(second - first);
    let swapped = Archive::open(&pfx, "", &mut Work::of_mount()).unwrap();
    assert_ne!(pfx, fixture("plain-no-mac.pfx"));
    assert_eq!(swapped.certificates, whole.certificates);
    assert_eq!(swapped.keys.len(), 1);
}

#[test]
fn broken_archives_never_panic() {
    for name in ["plain-no-mac.pfx", "pbes1-two-iterations.pfx", "pbes2-two-iterations.pfx"] {
        let whole = fixture(name);
        for cut in 0..whole.len() {
            assert!(Archive::open(&whole[..cut], "", &mut Work::of_mount()).is_err(), "{name} cut at {cut}");
        }
        for at in 0..whole.len() {
            for flip in [0x01, 0x80] {
                let mut pfx = whole.clone();
                pfx[at] ^= flip;
                let _ = Archive::open(&pfx, "", &mut Work::of_mount());
            }
        }
    }
}

#[test]
fn debug_output_redacts_keys() {
    let archive = open("plain.pfx").unwrap();
    let shown = format!("{:?}", archive.keys);
    assert_eq!(shown, "[[redacted]]");
}

/// Encodes a tag, the length in its shortest form, and the content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|&&byte| byte == 0).count()..];
    match content.len() {
        short @ 0..=127 => [&[tag, u8::try_from(short).unwrap()], content].concat(),
        _ => [&[tag, 0x80 | u8::try_from(length.len()).unwrap()], length, content].concat(),
    }
}

const SEQUENCE: u8 = 0x30;
const OCTETS: u8 = 0x04;
const EXPLICIT: u8 = 0xa0;

fn oid(last: &[u8]) -> Vec<u8> {
    der(0x06, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01], last].concat())
}

fn bag(last: u8, value: &[u8]) -> Vec<u8> {
    der(SEQUENCE, &[oid(&[0x0c, 0x0a, 0x01, last]), der(EXPLICIT, value)].concat())
}

/// Returns an archive without encryption and without a MAC.
fn archive(bags: &[u8]) -> Vec<u8> {
    let data =
        |octets: &[u8]| der(SEQUENCE, &[oid(&[0x07, 0x01]), der(EXPLICIT, &der(OCTETS, octets))].concat());
    let safes = der(SEQUENCE, &data(&der(SEQUENCE, bags)));
    der(SEQUENCE, &[vec![0x02, 0x01, 0x03], data(&safes)].concat())
}

#[test]
fn an_archive_that_claims_more_bytes_than_it_has_is_refused() {
    // Each is an empty SEQUENCE or OCTET STRING that claims up to 4 GiB.
    for length in [&[0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x84, 0x0f, 0xff, 0xff, 0xff], &[0x80], &[0x89]] {
        for start in [vec![SEQUENCE], vec![SEQUENCE, 0x82, 0x10, 0x00, 0x02, 0x01, 0x03, SEQUENCE]] {
            let pfx = [&start[..], length].concat();
            assert!(Archive::open(&pfx, "", &mut Work::of_mount()).is_err(), "{pfx:x?}");
        }
    }
    let whole = fixture("plain.pfx");
    let longer = [&whole[..], b"more"].concat();
    assert_eq!(
        Archive::open(&longer, "", &mut Work::of_mount()).unwrap_err(),
        Pkcs12Error::Malformed("outer structure")
    );
}

#[test]
fn nested_bags_are_refused_at_any_depth() {
    let nested = |depth| {
        let innermost = der(SEQUENCE, &[]);
        archive(&bag(6, &(0..depth).fold(innermost, |inside, _| der(SEQUENCE, &bag(6, &inside)))))
    };
    assert!(Archive::open(&nested(2), "", &mut Work::of_mount()).is_ok());
    for depth in [5, 1_000] {
        let error = Archive::open(&nested(depth), "", &mut Work::of_mount()).unwrap_err();
        assert_eq!(error, Pkcs12Error::Malformed("nested safe contents"), "{depth}");
    }
}

#[test]
fn an_archive_with_too_many_keys_is_refused() {
    let keys = |count| archive(&bag(1, &der(SEQUENCE, &[])).repeat(count));
    assert_eq!(Archive::open(&keys(100), "", &mut Work::of_mount()).unwrap().keys.len(), 100);
    assert_eq!(Archive::open(&keys(101), "", &mut Work::of_mount()).unwrap_err(), Pkcs12Error::TooManyKeys);
    assert_eq!(
        Archive::open(&keys(100_000), "", &mut Work::of_mount()).unwrap_err(),
        Pkcs12Error::TooManyKeys
    );
}

#[test]
fn work_is_bounded_for_the_archive_and_not_for_each_bag() {
    // PBES2, PBKDF2 with 1,000 rounds of HMAC-SHA256, AES-256. The work that remains is enough for two of them.
    let integer = |bytes: &[u8]| der(0x02, bytes);
    let hmac =
        der(SEQUENCE, &[der(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09]), vec![5, 0]].concat());
    let rounds = integer(&[0x03, 0xe8]);
    let pbkdf2 = der(
        SEQUENCE,
        &[oid(&[0x05, 0x0c]), der(SEQUENCE, &[der(OCTETS, &[7; 8]), rounds, hmac].concat())].concat(),
    );
    let aes = der(0x06, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a]);
    let aes = der(SEQUENCE, &[aes, der(OCTETS, &[0; 16])].concat());
    let scheme = der(SEQUENCE, &[oid(&[0x05, 0x0d]), der(SEQUENCE, &[pbkdf2, aes].concat())].concat());
    let parameters = AlgorithmIdentifier::from_der(&scheme).unwrap();
    let mut of_mount = Work::of_mount();
    let mut work = ArchiveWork::granted(&mut of_mount);
    work.spend(7_990_000, 1, &[], &[]).unwrap();
    let mut spent = 0;
    let error = loop {
        match cipher::decrypt(&parameters, &[0; 16], &Password::new(""), &mut work) {
            Err(Pkcs12Error::Undecryptable(PasswordKind::Empty)) => spent += 1,
            other => break other.map(drop),
        }
    };
    assert_eq!((spent, error), (2, Err(Pkcs12Error::TooMuchWork)));
}

/// Hundreds of safes with one iteration each once took almost no work, and many seconds.
#[test]
fn an_archive_of_many_safes_under_a_long_password_is_refused() {
    // pbeWithSHAAnd3-KeyTripleDES-CBC, and a MAC of 300 iterations. The work that remains is enough for two of either.
    let parameters = der(SEQUENCE, &[der(OCTETS, &[7; 8]), vec![0x02, 1, 1]].concat());
    let scheme = der(SEQUENCE, &[oid(&[0x0c, 0x01, 0x03]), parameters].concat());
    let scheme = AlgorithmIdentifier::from_der(&scheme).unwrap();
    let text = "x".repeat(25_000);
    let password = Password::new(&text);
    let mac = mac::compute(b"content", &password, mac::MacAlgorithm::Sha1, &[7; 8], 300).unwrap();
    let mac = MacData::from_der(&mac).unwrap();
    let refused_after = |left: u32, derive: &dyn Fn(&mut ArchiveWork<'_>) -> Result<(), Pkcs12Error>| {
        let mut of_mount = Work::of_mount();
        let mut work = ArchiveWork::granted(&mut of_mount);
        work.spend(8_000_000 - left, 1, &[], &[]).unwrap();
        (0..10).position(|_| derive(&mut work) == Err(Pkcs12Error::TooMuchWork))
    };
    let safes = refused_after(10_000, &|work| cipher::decrypt(&scheme, &[0; 16], &password, work).map(drop));
    assert_eq!(safes, Some(2));
    assert_eq!(refused_after(4_000, &|work| mac.verify(b"content", &password, work)), Some(2));
}

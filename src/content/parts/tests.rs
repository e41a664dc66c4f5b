use std::slice;

use data_encoding::BASE64;

use super::*;
use crate::{
    content::{
        fixture, fixture_certificates,
        pem::{self, CERTIFICATE, PRIVATE_KEY, PemText},
        pkcs12::{Archive, PasswordKind, Pkcs12Error, store::Protection},
        private_key::PrivateKeyError,
    },
    spec::{
        output::{KeyEncoding, Part, PartFormat, Store, StoreProfile},
        sensitive::Sensitive,
    },
};

const PEM: PartFormat = PartFormat::Pem;
const DER: PartFormat = PartFormat::Der;

fn archive(name: &str) -> String {
    BASE64.encode(&fixture(name))
}

fn open(value: &str) -> Result<Parts, PartsError> {
    Parts::of(value, "", ChainOrder::Construct, &mut Work::of_mount())
}

/// Takes `value` apart and writes one part.
fn part(value: &str, part: &Part) -> Result<Vec<u8>, PartsError> {
    open(value)?.write(value, part, "").map(Sensitive::into_exposed)
}

fn text(value: &str, wanted: &Part) -> String {
    String::from_utf8(part(value, wanted).unwrap()).unwrap()
}

fn missing(value: &str, wanted: &Part) -> MissingOutput {
    match part(value, wanted) {
        Err(PartsError::Missing(missing)) => missing,
        other => panic!("{wanted:?}: {:?}", other.map(|bytes| bytes.len())),
    }
}

fn store() -> Store {
    Store { alias: Default::default(), profile: StoreProfile::Modern2023, password: None }
}

/// A leaf, four intermediates and a root.
struct Stored {
    key: Vec<u8>,
    chain: Vec<Vec<u8>>,
}

fn stored() -> Stored {
    let Archive { keys, certificates } =
        Archive::open(&fixture("shuffled-chain.pfx"), "", &mut Work::of_mount()).unwrap();
    let [leaf, ca3, root, ca1, ca4, ca2] = <[_; 6]>::try_from(certificates).unwrap();
    let key = PrivateKey::from_pkcs8(keys[0].expose()).unwrap();
    Stored { key: key.pkcs8().to_vec(), chain: vec![leaf, ca4, ca3, ca2, ca1, root] }
}

fn certificates(ders: &[Vec<u8>]) -> String {
    blocks(ders.iter().map(|der| (CERTIFICATE, der.as_slice())))
}

fn blocks<'a>(blocks: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut text = PemText::new();
    for (label, der) in blocks {
        text.push_block(label, der);
    }
    String::from_utf8(text.into_public()).unwrap()
}

#[test]
fn a_chain_is_taken_apart_whatever_its_form_and_order() {
    let Stored { key, chain } = stored();
    let mut shuffled = chain.clone();
    shuffled.rotate_left(4);
    let of_pem = certificates(&shuffled) + &blocks([(PRIVATE_KEY, key.as_slice())]);
    let noise = format!("Bag Attributes\r\n{}", of_pem.replace('\n', "\r\n"));
    for value in [archive("shuffled-chain.pfx"), of_pem, noise] {
        assert_eq!(
            text(&value, &Part::Key(KeyEncoding::Pkcs8, PEM)),
            blocks([(PRIVATE_KEY, key.as_slice())])
        );
        assert_eq!(text(&value, &Part::Leaf(PEM)), certificates(&chain[..1]));
        assert_eq!(text(&value, &Part::Chain), certificates(&chain[1..5]));
        assert_eq!(text(&value, &Part::FullChain), certificates(&chain[..5]));
        assert_eq!(text(&value, &Part::Ca(PEM)), certificates(&chain[5..]));
        assert_eq!(text(&value, &Part::TruststorePem), certificates(&chain[1..]));
        assert_eq!(part(&value, &Part::Leaf(DER)).unwrap(), chain[0]);
        assert_eq!(part(&value, &Part::Ca(DER)).unwrap(), chain[5]);
        assert_eq!(part(&value, &Part::Key(KeyEncoding::Pkcs8, DER)).unwrap(), key);
    }
}

#[test]
fn the_topmost_of_a_chain_without_root_is_its_last_intermediate() {
    let Stored { key, chain } = stored();
    let value = blocks([(PRIVATE_KEY, key.as_slice())]) + &certificates(&chain[..3]);
    assert_eq!(text(&value, &Part::Chain), certificates(&chain[1..3]));
    assert_eq!(text(&value, &Part::FullChain), certificates(&chain[..3]));
    assert_eq!(text(&value, &Part::Ca(PEM)), certificates(&chain[2..3]));
    assert_eq!(text(&value, &Part::TruststorePem), certificates(&chain[1..3]));
}

#[test]
fn a_self_signed_leaf_is_its_own_authority() {
    let value = archive("plain.pfx");
    let leaf = text(&value, &Part::Leaf(PEM));
    for same in [Part::FullChain, Part::Ca(PEM), Part::TruststorePem] {
        assert_eq!(text(&value, &same), leaf, "{same:?}");
    }
    assert_eq!(missing(&value, &Part::Chain), MissingOutput::Chain);
}

#[test]
fn a_part_that_is_not_there_is_named() {
    let Stored { key, chain } = stored();
    let key = blocks([(PRIVATE_KEY, key.as_slice())]);
    assert_eq!(missing(&key, &Part::Leaf(PEM)), MissingOutput::Leaf);
    assert_eq!(missing(&key, &Part::FullChain), MissingOutput::Leaf);
    assert_eq!(missing(&key, &Part::Ca(PEM)), MissingOutput::Authority);
    assert_eq!(missing(&key, &Part::Keystore(store())), MissingOutput::Leaf);
    assert_eq!(missing(&key, &Part::Truststore(store())), MissingOutput::Authority);
    let leaf_alone = key + &certificates(&chain[..1]);
    assert_eq!(missing(&leaf_alone, &Part::Chain), MissingOutput::Chain);
    assert_eq!(missing(&leaf_alone, &Part::Ca(PEM)), MissingOutput::Authority);
    let no_key = certificates(&chain);
    assert_eq!(missing(&no_key, &Part::Key(KeyEncoding::Pkcs8, PEM)), MissingOutput::Key);
    assert_eq!(missing(&no_key, &Part::Keystore(store())), MissingOutput::Key);
    // Without a key, the leaf is the certificate that issued no other.
    assert_eq!(text(&no_key, &Part::Leaf(PEM)), certificates(&chain[..1]));
    assert_eq!(text(&no_key, &Part::Ca(PEM)), certificates(&chain[5..]));
}

#[test]
fn certificates_of_authorities_alone_are_all_trusted() {
    let Stored { chain, .. } = stored();
    let bundle = [chain[5].clone(), chain[2].clone(), chain[5].clone()];
    let value = certificates(&bundle);
    assert_eq!(text(&value, &Part::Ca(PEM)), certificates(&bundle[..2]));
    assert_eq!(text(&value, &Part::TruststorePem), certificates(&bundle[..2]));
    assert_eq!(part(&value, &Part::Ca(DER)), Err(PartsError::SeveralAuthorities { count: 2 }));
    assert_eq!(missing(&value, &Part::Leaf(PEM)), MissingOutput::Leaf);
    assert_eq!(part(&certificates(&chain[5..]), &Part::Ca(DER)).unwrap(), chain[5]);
    let upside_down = certificates(&[chain[5].clone(), chain[4].clone()]);
    assert_eq!(text(&upside_down, &Part::Ca(PEM)), upside_down);
    assert_eq!(text(&upside_down, &Part::TruststorePem), certificates(&chain[4..]));
}

#[test]
fn a_root_of_x509_version_1_is_trusted_like_its_neighbour() {
    let value = String::from_utf8(fixture("v1-root.pem")).unwrap();
    assert_eq!(text(&value, &Part::Ca(PEM)), value);
    assert_eq!(text(&value, &Part::TruststorePem), value);
    assert_eq!(missing(&value, &Part::Leaf(PEM)), MissingOutput::Leaf);
}

#[test]
fn self_signed_certificates_alone_are_all_trusted() {
    let stored = fixture_certificates("self-signed-alone.pem");
    let both = certificates(&stored);
    assert_eq!(text(&both, &Part::Ca(PEM)), both);
    assert_eq!(text(&both, &Part::TruststorePem), both);
    assert_eq!(missing(&both, &Part::Leaf(PEM)), MissingOutput::Leaf);
    // One that says that it is a server's stays one beside roots.
    let root = &fixture_certificates("rollover.pem")[0];
    for beside in [[&stored[0], root], [root, &stored[0]]] {
        let beside = certificates(&beside.map(Clone::clone));
        assert_eq!(text(&beside, &Part::Leaf(PEM)), certificates(&stored[..1]));
    }
    // A single one is a server's certificate as well.
    let one = certificates(&stored[..1]);
    for same in [Part::Leaf(PEM), Part::FullChain, Part::Ca(PEM), Part::TruststorePem] {
        assert_eq!(text(&one, &same), one, "{same:?}");
    }
}

#[test]
fn a_new_root_beside_a_chain_without_a_key_does_not_become_the_leaf() {
    let mut stored = fixture_certificates("rollover.pem");
    let [_, leaf, intermediate, root] = <[_; 4]>::try_from(stored.clone()).unwrap();
    for shift in 0..stored.len() {
        let value = certificates(&stored);
        assert_eq!(text(&value, &Part::FullChain), certificates(&[leaf.clone(), intermediate.clone()]));
        assert_eq!(part(&value, &Part::Ca(DER)).unwrap(), root, "rotated by {shift}");
        let trusted = certificates(&[intermediate.clone(), root.clone()]);
        assert_eq!(text(&value, &Part::TruststorePem), trusted, "rotated by {shift}");
        stored.rotate_left(1);
    }
}

/// Returns the keys and the certificates of a fixture in PEM, the latter rotated.
fn rotated(name: &str) -> impl Iterator<Item = String> {
    let whole = String::from_utf8(fixture(name)).unwrap();
    let keys = String::from_utf8(pem::split(&whole).keys.into_exposed()).unwrap();
    let mut stored = fixture_certificates(name);
    (0..stored.len()).map(move |_| {
        stored.rotate_left(1);
        keys.clone() + &certificates(&stored)
    })
}

#[test]
fn a_cross_signed_chain_ends_in_the_root_that_is_stored() {
    let [leaf, r3, cross, x1] = <[_; 4]>::try_from(fixture_certificates("cross-signed.pem")).unwrap();
    let mut with_cross = 0;
    for value in rotated("cross-signed.pem") {
        let mut intermediates = vec![r3.clone()];
        // A server sends it to clients that trust its issuer alone, if it is stored before the root.
        if value.find(&certificates(slice::from_ref(&cross)))
            < value.find(&certificates(slice::from_ref(&x1)))
        {
            intermediates.push(cross.clone());
            with_cross += 1;
        }
        assert_eq!(
            text(&value, &Part::FullChain),
            certificates(&[slice::from_ref(&leaf), &*intermediates].concat())
        );
        assert_eq!(part(&value, &Part::Ca(DER)).unwrap(), x1);
        assert_eq!(
            text(&value, &Part::TruststorePem),
            certificates(&[&*intermediates, slice::from_ref(&x1)].concat())
        );
    }
    assert_eq!(with_cross, 3);
    let stored = String::from_utf8(fixture("cross-signed.pem")).unwrap();
    let combined = text(&stored, &Part::Combined(Some(KeyEncoding::Pkcs8)));
    assert_eq!(combined, stored, "in the order of a single file");
}

#[test]
fn a_root_of_the_issuers_name_on_another_key_algorithm_is_not_the_issuer() {
    let [leaf, _, root] = <[_; 3]>::try_from(fixture_certificates("two-families.pem")).unwrap();
    for value in rotated("two-families.pem") {
        assert_eq!(text(&value, &Part::FullChain), certificates(slice::from_ref(&leaf)));
        assert_eq!(part(&value, &Part::Ca(DER)).unwrap(), root);
        assert_eq!(text(&value, &Part::TruststorePem), certificates(slice::from_ref(&root)));
    }
}

#[test]
fn a_pem_text_of_windows_is_read_from_its_first_block() {
    let Stored { chain, .. } = stored();
    let value = format!("\u{feff}{}", certificates(&chain));
    assert_eq!(text(&value, &Part::Leaf(PEM)), certificates(&chain[..1]));
}

#[test]
fn a_broken_block_is_not_a_missing_one() {
    let Stored { chain, key, .. } = stored();
    let key = blocks([(PRIVATE_KEY, key.as_slice())]);
    let whole = certificates(&chain[..1]);
    let indented = format!(" {whole}");
    for broken in [whole.replacen("MII", "M!I", 1), whole[..whole.len() / 2].to_owned(), indented] {
        assert_eq!(open(&(key.clone() + &broken)).unwrap_err(), PartsError::BrokenBlock, "{broken}");
    }
}

#[test]
fn a_certificate_that_is_not_x509_is_not_a_missing_one() {
    let Stored { chain, key } = stored();
    let key = blocks([(PRIVATE_KEY, key.as_slice())]);
    let cut = &chain[5][..chain[5].len() - 10];
    for other in [cut, b"canary", b""] {
        for (before, number) in [(5, 6), (0, 1)] {
            let value = key.clone() + &certificates(&chain[..before]) + &blocks([(CERTIFICATE, other)]);
            assert_eq!(open(&value).unwrap_err(), PartsError::NotX509 { number });
        }
        let protection = Protection { profile: StoreProfile::Modern2023, password: "" };
        let root = chain[5].as_slice();
        let archive = protection.truststore(&store().alias, &[root, root, other]).unwrap();
        let error = open(&BASE64.encode(archive.expose())).unwrap_err();
        assert_eq!(error, PartsError::NotX509 { number: 3 });
    }
}

#[test]
fn a_key_that_fits_no_certificate_fails_every_part() {
    let Stored { chain, .. } = stored();
    let other = PrivateKey::from_pkcs8(
        Archive::open(&fixture("plain.pfx"), "", &mut Work::of_mount()).unwrap().keys[0].expose(),
    )
    .unwrap();
    let value = blocks([(PRIVATE_KEY, other.pkcs8())]) + &certificates(&chain);
    assert_eq!(open(&value).unwrap_err(), PartsError::KeyMismatch);
}

#[test]
fn keys_are_written_in_the_structure_of_their_algorithm() {
    for (pfx, label) in [
        ("pbes2.pfx", "RSA PRIVATE KEY"),
        ("plain.pfx", "EC PRIVATE KEY"),
        ("p384.pfx", "EC PRIVATE KEY"),
        ("p521.pfx", "EC PRIVATE KEY"),
        ("secp256k1.pfx", "EC PRIVATE KEY"),
    ] {
        let value = archive(pfx);
        let pkcs8 = text(&value, &Part::Key(KeyEncoding::Pkcs8, PEM));
        let traditional = text(&value, &Part::Key(KeyEncoding::Traditional, PEM));
        assert!(traditional.starts_with(&format!("-----BEGIN {label}-----\n")), "{pfx}: {label}");
        let der = part(&value, &Part::Key(KeyEncoding::Traditional, DER)).unwrap();
        assert_eq!(blocks([(label, der.as_slice())]), traditional, "{pfx}");
        // What is written is a source again, and leads to the same key.
        assert_eq!(text(&traditional, &Part::Key(KeyEncoding::Pkcs8, PEM)), pkcs8, "{pfx}");
    }
    let error = part(&archive("ed25519.pfx"), &Part::Key(KeyEncoding::Traditional, PEM));
    assert_eq!(error, Err(PartsError::PrivateKey(PrivateKeyError::NotTraditional)));
}

#[test]
fn combined_is_what_a_single_file_holds() {
    let value = archive("shuffled-chain.pfx");
    let whole = String::from_utf8(fixture("shuffled-chain.pem")).unwrap();
    assert_eq!(text(&value, &Part::Combined(None)), whole);
    assert_eq!(text(&value, &Part::Combined(Some(KeyEncoding::Pkcs8))), whole);
    let as_it_stands = format!("# a comment\r\n{whole}");
    assert_eq!(text(&as_it_stands, &Part::Combined(None)), as_it_stands);
    assert_eq!(text(&as_it_stands, &Part::Combined(Some(KeyEncoding::Pkcs8))), whole);
    let traditional = text(&whole, &Part::Combined(Some(KeyEncoding::Traditional)));
    assert!(traditional.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
    assert_eq!(traditional.matches("BEGIN CERTIFICATE").count(), 6);
}

#[test]
fn an_archive_may_have_a_password() {
    let value = archive("password.pfx");
    let parts = Parts::of(&value, "secret", ChainOrder::Construct, &mut Work::of_mount()).unwrap();
    assert!(parts.key().is_some() && parts.leaf().is_some());
    let error = Parts::of(&value, "Secret", ChainOrder::Construct, &mut Work::of_mount()).unwrap_err();
    assert_eq!(error, PartsError::Password(Pkcs12Error::WrongPassword(PasswordKind::Given)));
    let error = open(&value).unwrap_err();
    assert_eq!(error, PartsError::Password(Pkcs12Error::WrongPassword(PasswordKind::Empty)));
}

#[test]
fn what_is_no_certificate_has_no_parts() {
    for value in ["", "s3cret", "c2VjcmV0", "{\"a\": 1}"] {
        assert_eq!(open(value).unwrap_err(), PartsError::NoCertificateForm, "{value}");
    }
    let public = blocks([("PUBLIC KEY", &[0x30, 0][..])]);
    assert_eq!(open(&public).unwrap_err(), PartsError::NoCertificateForm);
    assert_eq!(
        open(&BASE64.encode(&[0x30, 0])).unwrap_err(),
        PartsError::Pkcs12(Pkcs12Error::Truncated),
        "an archive at first sight"
    );
}

#[test]
fn an_encrypted_key_in_pem_is_refused() {
    let pkcs8 = blocks([("ENCRYPTED PRIVATE KEY", &[0x30, 0][..])]);
    let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n\
                       AAAA\n-----END RSA PRIVATE KEY-----\n";
    for value in [&pkcs8, traditional] {
        assert_eq!(open(value).unwrap_err(), PartsError::EncryptedKey);
    }
}

#[test]
fn keys_and_certificates_in_pem_are_bounded() {
    let Stored { key, chain } = stored();
    let many = blocks((0..=100).map(|_| (PRIVATE_KEY, key.as_slice())));
    assert_eq!(open(&many).unwrap_err(), PartsError::TooManyKeys { most: 100 });
    let many = blocks((0..=100).map(|_| (CERTIFICATE, chain[0].as_slice())));
    let error = open(&many).unwrap_err();
    assert!(matches!(error, PartsError::Chain(_)), "{error:?}");
}

#[test]
fn a_text_that_is_split_and_joined_has_the_same_parts() {
    let whole = String::from_utf8(fixture("p256.pem")).unwrap();
    let split = pem::split(&whole);
    let joined = [split.certificates.expose().as_slice(), split.keys.expose()].concat();
    let joined = String::from_utf8(joined).unwrap();
    for wanted in [Part::Leaf(PEM), Part::Key(KeyEncoding::Pkcs8, PEM)] {
        assert_eq!(text(&whole, &wanted), text(&joined, &wanted));
    }
}

#[test]
fn a_value_that_was_taken_apart_counts_its_keys_and_certificates() {
    let Stored { key, chain } = stored();
    let length: usize = chain.iter().map(Vec::len).sum();
    let bytes = open(&archive("shuffled-chain.pfx")).unwrap().bytes();
    assert!((2 * length + key.len()..2 * length + 2_048).contains(&bytes), "{bytes} bytes of {length}");
}

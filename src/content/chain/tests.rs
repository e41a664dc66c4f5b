use super::*;
use crate::content::{self, pkcs12::Archive, private_key::PrivateKey};

/// A leaf, four intermediates and a root, on four curves and without key identifiers.
struct Fixture {
    /// From the leaf to the root.
    chain: Vec<Vec<u8>>,
    key: PrivateKey,
    stranger: Vec<u8>,
}

fn fixture() -> Fixture {
    let read = |name| Archive::open(&content::fixture(name), "", &mut Work::of_mount()).unwrap();
    let Archive { keys, certificates } = read("shuffled-chain.pfx");
    let [leaf, ca3, root, ca1, ca4, ca2] = <[_; 6]>::try_from(certificates).unwrap();
    Fixture {
        chain: vec![leaf, ca4, ca3, ca2, ca1, root],
        key: PrivateKey::from_pkcs8(keys[0].expose()).unwrap(),
        stranger: read("pbes2.pfx").certificates.remove(0),
    }
}

fn ordered(certificates: &[Vec<u8>], public_keys: &[&[u8]]) -> Vec<Vec<u8>> {
    order(certificates, public_keys, &mut Work::of_mount()).unwrap().into_iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn every_rotation_and_reversal_is_put_in_order() {
    let Fixture { chain, key, .. } = fixture();
    for keys in [vec![], vec![key.public_key()]] {
        for shift in 0..chain.len() {
            let mut shuffled = chain.clone();
            shuffled.rotate_left(shift);
            assert_eq!(ordered(&shuffled, &keys), chain, "rotated by {shift}");
            shuffled.reverse();
            assert_eq!(ordered(&shuffled, &keys), chain, "rotated by {shift} and reversed");
        }
    }
}

#[test]
fn a_gap_ends_the_chain_and_the_rest_follows_as_stored() {
    let Fixture { chain, key, stranger } = fixture();
    let [leaf, ca4, ca3, _, ca1, root] = <[_; 6]>::try_from(chain).unwrap();
    let stored = [root, stranger, ca3, ca1, ca4, leaf];
    let [root, stranger, ca3, ca1, ca4, leaf] = stored.clone();
    assert_eq!(ordered(&stored, &[key.public_key()]), [leaf, ca4, ca3, root, stranger, ca1]);
}

#[test]
fn the_leaf_is_the_certificate_of_the_key() {
    let Fixture { chain, key, stranger } = fixture();
    let stored = [vec![stranger.clone()], chain.clone()].concat();
    assert_eq!(ordered(&stored, &[key.public_key()]), [chain.clone(), vec![stranger.clone()]].concat());
    // A key without a certificate is ignored, and the stranger issued nothing.
    assert_eq!(ordered(&stored, &[b"other"]), stored);
    assert_eq!(ordered(&stored, &[b"other", key.public_key()])[0], chain[0]);
}

#[test]
fn a_duplicate_certificate_is_written_once() {
    let Fixture { chain, key, stranger } = fixture();
    let (leaf, ca4, root) = (chain[0].clone(), chain[1].clone(), chain[5].clone());
    let strangers = vec![stranger.clone(), stranger.clone()];
    let stored = [strangers, vec![root, ca4, leaf], chain.clone(), vec![stranger.clone()]].concat();
    let expected = [chain, vec![stranger]].concat();
    assert_eq!(ordered(&stored, &[key.public_key()]), expected);
    // Without the key, the stranger is the leaf, unless it comes later.
    assert_eq!(ordered(&stored[2..], &[]), expected);
}

/// A leaf's certificates of 2020 to 2090, its intermediate's of 2020 and 2022, and the root.
struct Renewals {
    key: PrivateKey,
    leaf: [Vec<u8>; 3],
    intermediate: [Vec<u8>; 2],
    root: Vec<u8>,
}

fn renewals() -> Renewals {
    let Archive { keys, certificates } =
        Archive::open(&content::fixture("renewed.pfx"), "", &mut Work::of_mount()).unwrap();
    let [leaf_2024, leaf_2090, root, ca_2020, leaf_2020, ca_2022, twice] =
        <[_; 7]>::try_from(certificates).unwrap();
    assert_eq!(leaf_2024, twice);
    Renewals {
        key: PrivateKey::from_pkcs8(keys[0].expose()).unwrap(),
        leaf: [leaf_2020, leaf_2024, leaf_2090],
        intermediate: [ca_2020, ca_2022],
        root,
    }
}

#[test]
fn of_two_certificates_of_one_key_the_newest_comes_first_whatever_the_time_is_now() {
    let Renewals { key, leaf, intermediate, root } = renewals();
    let chain = [leaf[2].clone(), intermediate[1].clone(), root.clone()];
    let mut stored = [leaf.to_vec(), intermediate.to_vec(), vec![root]].concat();
    for _ in 0..stored.len() {
        stored.rotate_left(1);
        let others: Vec<_> = stored.iter().filter(|der| !chain.contains(der)).cloned().collect();
        for keys in [vec![], vec![key.public_key()], vec![&b"other"[..], key.public_key()]] {
            let got = ordered(&stored, &keys);
            assert_eq!(got[..3], chain);
            assert_eq!(got[3..], others, "the others follow as stored");
        }
    }
}

#[test]
fn of_a_renewed_self_signed_certificate_the_newest_comes_first() {
    let Archive { keys, certificates } =
        Archive::open(&content::fixture("renewed-self-signed.pfx"), "", &mut Work::of_mount()).unwrap();
    let key = PrivateKey::from_pkcs8(keys[0].expose()).unwrap();
    let [old, new] = <[_; 2]>::try_from(certificates).unwrap();
    for keys in [vec![], vec![key.public_key()]] {
        for stored in [[old.clone(), new.clone()], [new.clone(), old.clone()]] {
            assert_eq!(ordered(&stored, &keys), [new.clone(), old.clone()]);
        }
    }
}

#[test]
fn data_that_is_not_x509_is_kept_behind_the_chain() {
    let Fixture { chain, .. } = fixture();
    let stored = [vec![b"garbage".to_vec()], chain.clone()].concat();
    assert_eq!(ordered(&stored, &[]), [chain, vec![b"garbage".to_vec()]].concat());
    assert_eq!(ordered(&[b"garbage".to_vec()], &[]), [b"garbage".to_vec()]);
    assert!(ordered(&[], &[]).is_empty());
}

#[test]
fn a_certificate_with_the_issuers_name_alone_is_not_the_issuer() {
    let Fixture { chain, key, .. } = fixture();
    let mut forged = chain[1].clone();
    // Another point, so another key under the same name.
    let point = forged.windows(2).position(|window| window == [0x00, 0x04]).unwrap() + 20;
    forged[point] ^= 1;
    let stored = [vec![forged.clone()], chain.clone()].concat();
    assert_eq!(ordered(&stored, &[key.public_key()]), [chain, vec![forged]].concat());
}

#[test]
fn a_signature_of_an_unknown_algorithm_falls_back_to_names() {
    let Fixture { mut chain, .. } = fixture();
    // Replaces ecdsa-with-SHA256 (.4.3.2) with an unknown algorithm, in both places that name it.
    let oid = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let leaf = &mut chain[0];
    let places: Vec<_> = (0..leaf.len() - oid.len()).filter(|&at| leaf[at..at + oid.len()] == oid).collect();
    assert_eq!(places.len(), 2);
    for at in places {
        leaf[at + oid.len() - 1] = 0x7f;
    }
    let mut stored = chain.clone();
    stored.reverse();
    assert_eq!(ordered(&stored, &[]), chain);
}

#[test]
fn a_single_file_keeps_its_order_whatever_the_roles_in_separate_files_are() {
    for name in ["rollover.pem", "cross-signed.pem", "two-families.pem", "v1-root.pem"] {
        let stored = content::fixture_certificates(name);
        assert_eq!(ordered(&stored, &[]), stored, "{name}");
        let leaf = public_key(&stored[0]).unwrap();
        for keys in [vec![], vec![leaf.as_slice()]] {
            let chain = build(&stored, &keys, &mut Work::of_mount()).unwrap();
            assert_eq!(chain.in_order, stored, "{name}");
        }
    }
}

#[test]
fn a_chain_without_a_root_follows_its_first_issuers() {
    // Without X1's own signature, the chain ends with the X1 that a stranger signed.
    let stored = content::fixture_certificates("cross-signed.pem");
    let leaf = public_key(&stored[0]).unwrap();
    let chain = build(&stored[..3], &[leaf.as_slice()], &mut Work::of_mount()).unwrap();
    assert_eq!(chain.links, stored[..3]);
    assert!(!chain.ends_in_root);
}

#[test]
fn too_many_certificates_are_refused() {
    let certificates: Vec<_> = (0..=MAX_CERTIFICATES).map(|number| vec![number as u8]).collect();
    assert_eq!(order(&certificates[1..], &[], &mut Work::of_mount()).unwrap().len(), MAX_CERTIFICATES);
    assert_eq!(
        order(&certificates, &[], &mut Work::of_mount()),
        Err(ContentError::TooManyCertificates { count: MAX_CERTIFICATES + 1, most: MAX_CERTIFICATES })
    );
}

#[test]
fn broken_certificates_never_panic_and_are_never_lost() {
    let Fixture { chain, key, .. } = fixture();
    for at in 0..chain[1].len() {
        let mut stored = chain.clone();
        stored[1][at] ^= 0x41;
        assert_eq!(ordered(&stored, &[key.public_key()]).len(), chain.len());
        stored[1].truncate(at);
        assert_eq!(ordered(&stored, &[key.public_key()]).len(), chain.len());
    }
}

/// A copy with another signature: a different certificate of the same name.
fn unsigned(certificate: &[u8], number: usize) -> Vec<u8> {
    let mut copy = certificate.to_vec();
    let end = copy.len();
    copy[end - 2..].copy_from_slice(&u16::try_from(number).unwrap().to_be_bytes());
    copy
}

#[test]
fn signature_checks_among_certificates_of_one_name_are_bounded() {
    let Fixture { chain, .. } = fixture();
    // Each has the root's name and key. So each issued the root, which is found last, and no other certificate.
    let roots = |count| -> Vec<_> {
        let copies = (1..count).map(|number| unsigned(&chain[5], number));
        copies.chain([chain[5].clone()]).collect()
    };
    assert_eq!(ordered(&roots(20), &[]).len(), 20);
    assert_eq!(order(&roots(100), &[], &mut Work::of_mount()), Err(ContentError::TooManySignatures));
    assert_eq!(build(&roots(100), &[], &mut Work::of_mount()), Err(ChainError::TooManySignatures));
    let (twenty, mut of_mount) = (roots(20), Work::of_mount());
    let ordered = (0..).map(|_| order(&twenty, &[], &mut of_mount)).take_while(Result::is_ok).count();
    assert!((5..100).contains(&ordered), "{ordered} objects");
    assert_eq!(order(&twenty, &[], &mut of_mount), Err(ContentError::TooManySignaturesTogether));
}

#[test]
fn ten_thousand_certificates_are_refused_without_parsing() {
    let Fixture { chain, .. } = fixture();
    let many = vec![chain[0].clone(); 10_000];
    assert!(matches!(
        order(&many, &[], &mut Work::of_mount()),
        Err(ContentError::TooManyCertificates { count: 10_000, .. })
    ));
}

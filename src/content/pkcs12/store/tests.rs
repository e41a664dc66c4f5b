use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use super::*;
use crate::content::{
    fixture,
    pkcs12::{Archive, PasswordKind, Pkcs12Error},
    private_key::PrivateKey,
    work::Work,
};

const PROFILES: [StoreProfile; 2] = [StoreProfile::Modern2023, StoreProfile::LegacyDes];

/// A key, its leaf, four intermediates and a root.
fn stored(name: &str) -> (PrivateKey, Vec<Vec<u8>>) {
    let Archive { keys, certificates } = Archive::open(&fixture(name), "", &mut Work::of_mount()).unwrap();
    let key = PrivateKey::from_pkcs8(keys[0].expose()).unwrap();
    (key, certificates)
}

fn alias(text: &str) -> Alias {
    text.parse().unwrap()
}

fn keystore(profile: StoreProfile, password: &str, name: &str) -> Vec<u8> {
    let (key, certificates) = stored(name);
    let certificates: Vec<_> = certificates.iter().map(Vec::as_slice).collect();
    let entry = KeyEntry {
        alias: &alias("my app"),
        key: key.pkcs8(),
        leaf: certificates[0],
        chain: &certificates[1..],
    };
    Protection { profile, password }.keystore(entry).unwrap().into_exposed()
}

fn truststore(profile: StoreProfile, password: &str) -> Vec<u8> {
    let (_, certificates) = stored("shuffled-chain.pfx");
    let certificates: Vec<_> = certificates[1..3].iter().map(Vec::as_slice).collect();
    Protection { profile, password }.truststore(&alias("ca"), &certificates).unwrap().into_exposed()
}

#[test]
fn a_store_opens_with_its_password_alone() {
    for profile in PROFILES {
        for password in ["", "correct horse", " trailing\n", "größe", "\u{1f511} key"] {
            let store = keystore(profile, password, "shuffled-chain.pfx");
            let archive = Archive::open(&store, password, &mut Work::of_mount()).unwrap();
            let (key, certificates) = stored("shuffled-chain.pfx");
            assert_eq!(archive.keys[0].expose(), key.pkcs8());
            assert_eq!(archive.certificates, certificates);
            let error = Archive::open(&store, "another", &mut Work::of_mount()).unwrap_err();
            assert_eq!(error, Pkcs12Error::WrongPassword(PasswordKind::Given));

            let archive =
                Archive::open(&truststore(profile, password), password, &mut Work::of_mount()).unwrap();
            assert!(archive.keys.is_empty());
            assert_eq!(archive.certificates, certificates[1..3]);
        }
    }
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    for profile in PROFILES {
        let write = || (keystore(profile, "p", "pbes2.pfx"), truststore(profile, "p"));
        assert_eq!(write(), write());
    }
}

#[test]
fn salts_depend_on_the_key_and_the_content_and_never_on_the_password() {
    let bags = [b"certificates".to_vec()];
    let salts = |key: &[u8], profile, bags: &[Vec<u8>]| {
        let salts = Salts::new(key, profile, bags);
        [Use::Certificates, Use::Key, Use::Mac].map(|salt_use| salts.of(salt_use).salt)
    };
    let one = salts(b"key", StoreProfile::Modern2023, &bags);
    let mut all = [
        one,
        salts(b"another key", StoreProfile::Modern2023, &bags),
        salts(b"key", StoreProfile::LegacyDes, &bags),
        salts(b"key", StoreProfile::Modern2023, &[b"renewed".to_vec()]),
    ]
    .concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 12, "no two uses, keys, profiles or contents share a salt");
    assert_eq!(salts(b"key", StoreProfile::Modern2023, &bags), one);

    // The salt of the MAC is near the end of a store: 16 bytes before the two of the rounds.
    let mac_salt = |store: &[u8]| store[store.len() - 20..store.len() - 4].to_vec();
    let stores = ["p", "q"].map(|password| keystore(StoreProfile::Modern2023, password, "pbes2.pfx"));
    assert_ne!(stores[0], stores[1]);
    assert_eq!(mac_salt(&stores[0]), mac_salt(&stores[1]));
}

/// Runs a tool with `arguments` on `store`; `None` without the tool.
fn tool(name: &str, store: &[u8], arguments: &[&str]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.p12");
    fs::write(&path, store).unwrap();
    run(name, &path, arguments)
}

fn run(name: &str, path: &Path, arguments: &[&str]) -> Option<String> {
    let arguments = arguments.iter().map(|argument| match *argument {
        "STORE" => path.as_os_str(),
        argument => argument.as_ref(),
    });
    let output = match Command::new(name).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: no {name} here: {error}");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {said}");
    Some(said.into_owned())
}

#[test]
fn openssl_reads_keystores_and_names_their_algorithms() {
    for (profile, mac, cipher) in [
        (
            StoreProfile::Modern2023,
            "MAC: sha256, Iteration 2048",
            "PBES2, PBKDF2, AES-256-CBC, Iteration 2048, PRF hmacWithSHA256",
        ),
        (
            StoreProfile::LegacyDes,
            "MAC: sha1, Iteration 2048",
            "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 2048",
        ),
    ] {
        for password in ["correct horse", "größe", ""] {
            let store = keystore(profile, password, "shuffled-chain.pfx");
            let password = format!("pass:{password}");
            let arguments = ["pkcs12", "-info", "-in", "STORE", "-passin", &password, "-noenc"];
            let Some(said) = tool("openssl", &store, &arguments) else { return };
            assert!(said.contains(mac), "{said}");
            assert!(said.contains(&format!("PKCS7 Encrypted data: {cipher}")), "{said}");
            assert!(said.contains(&format!("Shrouded Keybag: {cipher}")), "{said}");
            assert_eq!(said.matches("BEGIN CERTIFICATE").count(), 6, "{said}");
            assert_eq!(said.matches("BEGIN PRIVATE KEY").count(), 1, "{said}");
            assert_eq!(said.matches("friendlyName: my app").count(), 2, "{said}");
            assert_eq!(said.matches("localKeyID: ").count(), 2, "{said}");
        }
    }
}

#[test]
fn java_reads_keystores_as_one_entry_and_truststores_as_trusted_certificates() {
    for profile in PROFILES {
        let list = ["-list", "-keystore", "STORE", "-storetype", "PKCS12", "-storepass", "correct horse"];
        // keytool lists no secp256k1 certificates, so the key with its certificate is an RSA one.
        let store = keystore(profile, "correct horse", "pbes2.pfx");
        let Some(said) = tool("keytool", &store, &list) else { return };
        assert!(said.contains("contains 1 entry") && said.contains("my app, "), "{said}");
        assert!(said.contains("PrivateKeyEntry"), "{said}");

        let said = tool("keytool", &truststore(profile, "correct horse"), &list).unwrap();
        assert!(said.contains("contains 2 entries"), "{said}");
        assert_eq!(said.matches("trustedCertEntry").count(), 2, "{said}");
        assert!(said.contains("ca-1, ") && said.contains("ca-2, "), "{said}");
    }
}

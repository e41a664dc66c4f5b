//! `--write-cert-and-key-in-separate-files`: the files beside that of a certificate's secret.

use akv_emulator::VaultSet;
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::{
    harness::{Azure, MountCall, Provider},
    process::{Process, log},
};

const FLAG: &str = "--write-cert-and-key-in-separate-files";
const PEM: &str = "application/x-pem-file";
const PKCS12: &str = "application/x-pkcs12";

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/pkcs12/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a fixture")
}

/// Returns the key and the certificate of a self-signed pair.
fn halves() -> (String, String) {
    let pem = String::from_utf8(fixture("p256.pem")).unwrap();
    let (key, certificate) = pem.split_at(pem.find("-----BEGIN CERTIFICATE").unwrap());
    (key.to_owned(), certificate.to_owned())
}

/// Starts a vault `lab` with these secrets that back certificates: name, content type and value.
async fn azure(secrets: &[(&str, &str, &str)]) -> Azure {
    let secrets: serde_json::Map<String, Value> = secrets
        .iter()
        .map(|(name, content_type, value)| {
            let kid = format!("https://lab.vault.azure.net/keys/{name}/1");
            let body = json!({ "value": value, "contentType": content_type, "kid": kid });
            ((*name).to_owned(), json!([{ "version": "1", "created": 1_700_000_000, "body": body }]))
        })
        .collect();
    let vaults: VaultSet = serde_json::from_value(json!({ "lab": { "secrets": secrets } })).unwrap();
    Azure::with_vaults(vaults).await
}

fn call(azure: &Azure, entries: &[&str]) -> MountCall {
    let objects: String =
        entries.iter().map(|fields| format!("- {{objectType: secret, {fields}}}\n")).collect();
    MountCall::of(&objects).workload(azure)
}

#[tokio::test]
async fn a_part_that_a_secret_lacks_is_left_out_with_a_line_in_the_log() {
    let (key, certificate) = halves();
    let archive = BASE64.encode(&fixture("certificates-only.pfx"));
    let secrets =
        [("whole", PEM, &*(key.clone() + &certificate)), ("key", PEM, &key), ("ca", PKCS12, &*archive)];
    let azure = azure(&secrets).await;
    let process = Process::start_with(&azure, &[FLAG]).await;
    let entries =
        ["objectName: whole", "objectName: key", "objectName: ca", "objectName: ca, objectAlias: b/ca"];
    let call = call(&azure, &entries);
    for _ in 0..2 {
        let mounted = process.driver().mount(&call).await.unwrap();
        assert_eq!(
            mounted.paths(),
            ["whole.crt", "whole.key", "whole", "key.key", "key", "ca.crt", "ca", "b/ca.crt", "b/ca"]
        );
        assert_eq!(mounted.text("key.key"), key);
        assert_eq!(mounted.text("b/ca.crt"), certificate);
    }

    let log = log(&process.signal("-TERM").await);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("left out")).collect();
    assert_eq!(lines.len(), 1, "a republish must not report it again: {log}");
    for mention in [
        "WARN",
        "pod=default/web-0",
        "key.crt (the secret has no certificate), ca.key (the secret has no private key), b/ca.key (",
    ] {
        assert!(lines[0].contains(mention), "no {mention} in {}", lines[0]);
    }
}

#[tokio::test]
async fn an_unconverted_archive_has_its_certificate_and_key_beside_it() {
    let (key, certificate) = halves();
    let (archive, locked) = (fixture("plain.pfx"), fixture("password.pfx"));
    let azure =
        azure(&[("web", PKCS12, &BASE64.encode(&archive)), ("locked", PKCS12, &BASE64.encode(&locked))])
            .await;
    let provider = Provider::start_with(&azure, &[FLAG.to_owned()]);
    let call = call(
        &azure,
        &[
            "objectName: web, objectFormat: pfx, objectEncoding: base64",
            "objectName: web, objectFormat: pfx, objectAlias: text.pfx",
            "objectName: locked, objectFormat: pfx",
        ],
    );
    let mounted = provider.driver().mount(&call).await.unwrap();
    assert_eq!(
        mounted.paths(),
        ["web.crt", "web.key", "web", "text.pfx.crt", "text.pfx.key", "text.pfx", "locked"],
        "an archive under a password is passed on as it is"
    );
    for name in ["web", "text.pfx"] {
        assert_eq!(mounted.text(&format!("{name}.crt")), certificate);
        assert_eq!(mounted.text(&format!("{name}.key")), key);
    }
    assert_eq!(mounted.files[2].2, archive);
    assert_eq!(mounted.text("text.pfx"), BASE64.encode(&archive));
}

#[tokio::test]
async fn an_omitted_file_collides_with_nothing() {
    let (key, certificate) = halves();
    let azure = azure(&[("web", PEM, &key), ("other", PEM, &certificate)]).await;
    let provider = Provider::start_with(&azure, &[FLAG.to_owned()]);
    let mounted = provider
        .driver()
        .mount(&call(&azure, &["objectName: web", "objectName: other, objectAlias: web.crt"]))
        .await
        .unwrap();
    assert_eq!(mounted.paths(), ["web.key", "web", "web.crt.crt", "web.crt"]);
}

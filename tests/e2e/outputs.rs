//! Outputs of one object: reads, passwords, rotation, and what fails.

use akv_emulator::{Fault, ObjectKind, Route, Service};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::{Azure, MountCall, Mounted, Provider};

/// Returns an archive of the fixtures in base64.
fn archive(name: &str) -> String {
    let path = format!("{}/tests/data/pkcs12/{name}", env!("CARGO_MANIFEST_DIR"));
    BASE64.encode(&std::fs::read(path).unwrap())
}

fn put_certificate(azure: &Azure, name: &str, archive: &str) {
    let body =
        json!({ "value": archive, "contentType": "application/x-pkcs12", "kid": format!("/keys/{name}/1") });
    let Value::Object(body) = body else { unreachable!() };
    azure.vaults().put("lab", ObjectKind::Secret, name, body);
}

/// A vault with a certificate `web` and a password `store-password`.
async fn vault() -> Azure {
    let azure = Azure::with_secrets(&[("store-password", "correct horse")]).await;
    put_certificate(&azure, "web", &archive("shuffled-chain.pfx"));
    azure
}

fn reads(azure: &Azure) -> usize {
    azure.journal().count(&Route::service(Service::Vault).credentials(true))
}

async fn mount(azure: &Azure, objects: &str) -> Mounted {
    let provider = Provider::start(azure);
    let mounted = provider.driver().mount(&MountCall::of(objects).workload(azure).of_another_pod()).await;
    mounted.unwrap_or_else(|status| panic!("{}", status.message()))
}

/// Mounts, and returns the code and the message of the failure.
async fn failure(azure: &Azure, objects: &str) -> (Code, String) {
    let provider = Provider::start(azure);
    let mounted = provider.driver().mount(&MountCall::of(objects).workload(azure).of_another_pod()).await;
    let status = mounted.map(|mounted| mounted.paths().len()).unwrap_err();
    (status.code(), status.message().to_owned())
}

const STORES: &str = "- {objectName: web, objectType: secret, outputs: [\
     {objectAlias: key.p12, content: keystore, passwordObject: store-password}, \
     {objectAlias: trust.p12, content: truststore, passwordObject: store-password}, \
     {objectAlias: old.p12, content: keystore, profile: LegacyDES}]}";

fn bytes(mounted: &Mounted) -> Vec<Vec<u8>> {
    mounted.files.iter().map(|(.., contents)| contents.clone()).collect()
}

#[tokio::test]
async fn stores_change_with_a_new_version_or_password_alone() {
    let azure = vault().await;
    let first = bytes(&mount(&azure, STORES).await);
    assert_eq!(bytes(&mount(&azure, STORES).await), first);

    azure.vaults().put_secret("lab", "store-password", "another horse");
    let renamed = bytes(&mount(&azure, STORES).await);
    assert_ne!(renamed[0], first[0]);
    assert_ne!(renamed[1], first[1]);
    assert_eq!(renamed[2], first[2], "a store without a password has not changed");

    put_certificate(&azure, "web", &archive("pbes2.pfx"));
    let renewed = bytes(&mount(&azure, STORES).await);
    assert!(renewed.iter().zip(&renamed).all(|(new, old)| new != old));
}

#[tokio::test]
async fn twenty_outputs_and_their_passwords_are_two_reads() {
    let azure = vault().await;
    let store = |index| {
        let content = if index % 2 == 0 { "keystore" } else { "truststore" };
        format!(
            "{{objectAlias: s{index}, content: {content}, passwordObject: store-password, alias: a{index}}}"
        )
    };
    let stores = (0..20).map(store).collect::<Vec<_>>().join(", ");
    let entry = format!("- {{objectName: web, objectType: secret, outputs: [{stores}]}}\n");
    let mounted = mount(&azure, &entry).await;
    assert_eq!(mounted.files.len(), 20);
    assert_eq!(reads(&azure), 2);
    assert_eq!(mounted.versions.len(), 1, "{:?}", mounted.versions);
    assert_eq!(mounted.versions[0].0, "secret/web");

    // A password that is an entry too is read once, and has its own file and version.
    azure.journal().clear();
    let both = format!("{entry}- {{objectName: store-password, objectType: secret}}\n");
    let mounted = mount(&azure, &both).await;
    assert_eq!(mounted.text("store-password"), "correct horse");
    assert_eq!(reads(&azure), 2);
    assert_eq!(mounted.versions.len(), 2, "{:?}", mounted.versions);
}

#[tokio::test]
async fn a_password_that_cannot_be_read_is_the_failing_object() {
    let azure = vault().await;
    let stores = STORES.replace("store-password", "missing");
    let (code, message) = failure(&azure, &stores).await;
    assert_eq!(code, Code::NotFound, "{message}");
    assert!(message.contains("[AKV-NotFound]") && message.contains("secret/missing"), "{message}");
    assert!(!message.contains("secret/web"), "one failure, not two: {message}");

    let password = Route::vault("lab").path_prefix("/secrets/store-password").credentials(true);
    azure.faults().inject(password, Fault::status(403));
    let optional = STORES.replace("objectType: secret,", "objectType: secret, optional: true,");
    let (code, message) = failure(&azure, &optional).await;
    assert_eq!(code, Code::PermissionDenied, "{message}");
    assert!(message.contains("secret/store-password"), "{message}");
}

#[tokio::test]
async fn an_absent_optional_object_needs_no_password() {
    let azure = Azure::with_secrets(&[]).await;
    let stores = STORES.replace("objectType: secret,", "objectType: secret, optional: true,");
    let mounted = mount(&azure, &stores).await;
    assert_eq!(mounted.paths(), [".absent"]);
    assert_eq!(mounted.versions, [("secret/web".to_owned(), "absent".to_owned())]);
}

#[tokio::test]
async fn a_part_that_is_missing_or_does_not_convert_is_named_with_its_file() {
    let azure = vault().await;
    azure.vaults().put_secret("lab", "plain", "no certificate");
    let damaged = "-----BEGIN CERTIFICATE-----\nTWF5\n-----END CERTIFICATE-----\n";
    azure.vaults().put_secret("lab", "damaged", damaged);
    azure.vaults().put_secret("lab", "locked", &archive("password.pfx"));
    azure.vaults().put_secret("lab", "hostile", &archive("too-many-iterations.pfx"));
    put_certificate(&azure, "self-signed", &archive("pbes2.pfx"));
    for (object, outputs, words) in [
        (
            "self-signed",
            "[{objectAlias: a, content: leaf}, {objectAlias: b/c.pem, content: chain}]",
            "cannot write its file b/c.pem: the secret has no intermediate certificate",
        ),
        ("plain", "tls-pem", "the secret's value is neither PEM"),
        (
            "damaged",
            "[{objectAlias: ca.crt, content: ca, optional: true}]",
            "certificate 1 of the value is not X.509, or is damaged; store the certificate unchanged",
        ),
        ("locked", "tls-pem", "cannot open the PKCS#12 archive, check sourcePasswordObject"),
        (
            "locked",
            "tls-pem, sourcePasswordObject: store-password",
            "its MAC does not fit the given password",
        ),
        ("hostile", "tls-pem", "asks for more key derivation work than is granted"),
    ] {
        let entry = format!("- {{objectName: {object}, objectType: secret, outputs: {outputs}}}");
        let (code, message) = failure(&azure, &entry).await;
        assert_eq!(code, Code::FailedPrecondition, "{message}");
        assert!(message.starts_with("[AKV-CannotConvert]"), "{message}");
        assert!(message.contains(words), "{message}");
        assert!(message.contains(&format!("secret/{object}")), "{message}");
    }
}

#[tokio::test]
async fn a_value_beside_parts_is_what_a_single_file_holds() {
    let azure = vault().await;
    let entry = "- {objectName: web, objectType: secret, outputs: [{objectAlias: v, content: value}, {objectAlias: c, content: \
                 combined}]}\n- {objectName: web, objectType: secret, objectAlias: whole}";
    let mounted = mount(&azure, entry).await;
    assert_eq!(mounted.text("v"), mounted.text("whole"));
    assert_eq!(mounted.text("c"), mounted.text("whole"));
    assert_eq!(reads(&azure), 1);
}

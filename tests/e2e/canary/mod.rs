//! Canary secrets: mounts of every kind must not leak them into any output of the binary at its most verbose.

mod forms;
mod inside;

use std::{fmt::Write as _, time::Duration};

use akv_emulator::{Fault, ObjectKind, RequestHead, Route, Service};
use akv_provider::content::{pkcs12::Archive, private_key::PrivateKey, work::Work};
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tonic::Status;

use crate::{
    harness::{Azure, Driver, MountCall},
    process::{self, Process},
};

use self::forms::nothing_secret_is_in;

const VALUE: &str = "c4n4ry-of-the-value+/=&% ü";
const RIGHT_SECRET: &str = "s3cr3t~value";
const WRONG_SECRET: &str = "c4n4ry-of-the-client-secret+/=&%";
const CERTIFICATE_PASSWORD: &str = "c4n4ry-of-the-certificate-password+/=&%";
const DEFAULT: &str = "c4n4ry-of-the-default+/=&%";
const STORE_PASSWORD: &str = "c4n4ry-of-the-store-password+/=&%";
const FORGED_TOKEN: &str = "eyJhbGciOiJub25lIn0.c4n4ry-of-the-token.c4n4ry-of-its-signature";

/// The flags with which values are kept, and each republish checks them.
const BY_LIST: [&str; 2] = ["--republish-check=list", "--republish-max-age=0"];

#[tokio::test]
async fn no_secret_leaks_with_text_logs() {
    no_secret_leaks(&[], |_| {}, "").await;
}

#[tokio::test]
async fn no_secret_leaks_with_json_logs() {
    no_secret_leaks(&["--log-format-json"], |_| {}, "").await;
}

/// With two issuers: one whose keys prove subjects, and one whose key set is an invalid text with a canary.
#[tokio::test]
async fn no_secret_leaks_where_issuers_prove_subjects() {
    const BROKEN: &str = "https://broken.localhost";
    let flags = [
        "--service-account-issuer=https://oidc.localhost",
        "--service-account-issuer=https://broken.localhost",
    ];
    let broken = |azure: &Azure| {
        let is_of_issuer = |head: &RequestHead| head.host.split(':').next() == Some("broken.localhost");
        let at = |path: &str| Route::any().path(path).matching(is_of_issuer);
        let document = json!({ "issuer": BROKEN, "jwks_uri": format!("{BROKEN}/keys") }).to_string();
        azure.faults().inject(at("/.well-known/openid-configuration"), invalid(document));
        azure.faults().inject(at("/keys"), invalid(format!("{VALUE} is not JSON")));
    };
    let ready = "akv_issuer_keys{issuer=\"https://oidc.localhost\"} 1\n";
    let printed = no_secret_leaks(&flags, broken, ready).await;
    for part in [
        "akv_identity_proofs_total{result=\"proven\"} ",
        "akv_identity_proofs_total{result=\"malformed\"} ",
        "akv_issuer_keys{issuer=\"https://broken.localhost\"} 0",
    ] {
        assert!(printed.contains(part), "no {part}:\n{printed}");
    }
    let failed = |line: &str| line.contains("WARN") && line.contains(BROKEN);
    assert!(printed.lines().any(failed), "no line for the issuer without keys:\n{printed}");
}

/// A mount, the fault that it meets, and whether it succeeds.
struct Attempt {
    call: MountCall,
    fault: Option<(Route, Fault)>,
    ends_well: bool,
}

/// Mounts in many ways with these flags, and returns what the binary printed, without a canary. `prepare` changes the
/// Azure before the start, and the mounts begin when the metrics have the text `ready`.
async fn no_secret_leaks(flags: &[&str], prepare: impl FnOnce(&Azure), ready: &str) -> String {
    let conn = json!({ "a": { "password": VALUE } }).to_string();
    let secrets = [
        ("db-password", VALUE),
        ("conn", &conn),
        ("lines", &format!("A='{VALUE}'\n")),
        ("nul", &format!("{VALUE}\0")),
    ];
    let azure = Azure::with_secrets(&secrets).await;
    let key = put_archives(&azure);
    azure.vaults().put_secret("lab", "store-password", STORE_PASSWORD);
    prepare(&azure);
    let metrics = process::free_port();
    let url = format!("http://127.0.0.1:{metrics}/metrics");
    let port = format!("--prometheus-port={metrics}");
    let mut process =
        Process::start_with(&azure, &[flags, &BY_LIST, &["-v=5", "--metrics-object-name", &port]].concat())
            .await;
    // Read while the binary runs, which would wait for a reader of a full pipe.
    let mut pipes = (process.child.stdout.take().unwrap(), process.child.stderr.take().unwrap());
    let output = tokio::spawn(async move {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        tokio::try_join!(pipes.0.read_to_string(&mut stdout), pipes.1.read_to_string(&mut stderr)).unwrap();
        (stdout, stderr)
    });
    let driver = process.driver();
    let is_ready = async {
        while !reqwest::get(&url).await.unwrap().text().await.unwrap().contains(ready) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Far longer than needed, so that the test fails instead of hanging.
    tokio::time::timeout(Duration::from_secs(30), is_ready).await.unwrap_or_else(|_| panic!("no {ready}"));

    let mut said = String::new();
    for (index, Attempt { call, fault, ends_well }) in attempts(&azure).into_iter().enumerate() {
        let fault = fault.map(|(route, fault)| azure.faults().inject(route, fault));
        match driver.mount(&call.of_another_pod()).await {
            Ok(_) => assert!(ends_well, "attempt {index} ended well"),
            Err(status) => {
                assert!(!ends_well, "attempt {index}: {status}");
                writeln!(said, "{status:?} {}", status.message()).unwrap();
            }
        }
        if let Some(fault) = fault {
            assert!(azure.faults().hits(fault) > 0, "the fault of attempt {index} was not met");
            azure.faults().remove(fault);
        }
    }
    for status in republish_by_list(&azure, &driver).await {
        writeln!(said, "{status:?} {}", status.message()).unwrap();
    }
    said += &reqwest::get(&url).await.unwrap().text().await.unwrap();
    process.signal("-TERM").await;
    let (stdout, log) = output.await.unwrap();
    said += &stdout;
    assert!(
        log.contains("mounted") && log.contains("mount failed") && log.contains("mount refused"),
        "{log}"
    );
    said += &log;

    let tokens: Value = serde_json::from_str(&azure.service_account_tokens("default", "app")).unwrap();
    let token = tokens["api://AzureADTokenExchange"]["token"].as_str().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    nothing_secret_is_in(
        &said,
        &[
            ("a secret's value", VALUE.as_bytes()),
            ("a default", DEFAULT.as_bytes()),
            ("a client secret", RIGHT_SECRET.as_bytes()),
            ("a wrong client secret", WRONG_SECRET.as_bytes()),
            ("a service-account token", &claims.as_bytes()[..60]),
            ("a forged token", b"c4n4ry-of-the-token"),
            ("a forged token's signature", b"c4n4ry-of-its-signature"),
            ("a store's password", STORE_PASSWORD.as_bytes()),
            ("a private key", &key),
            ("a client certificate's key", &client_key()),
            ("a client certificate's password", CERTIFICATE_PASSWORD.as_bytes()),
        ],
    );
    said
}

/// Returns an answer of this text as JSON, which it need not be.
fn invalid(body: String) -> Fault {
    Fault::InvalidBody { content_type: "application/json".to_owned(), body: body.into() }
}

/// Republishes a volume whose values are kept, with and without faults of its lists and reads. Returns the driver's errors.
async fn republish_by_list(azure: &Azure, driver: &Driver) -> Vec<Status> {
    let names: Vec<_> = (0..5).map(|number| format!("kept-{number}")).collect();
    for name in &names {
        azure.vaults().put_secret("lab", name, VALUE);
    }
    azure.clock().advance(Duration::from_secs(60));
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let volume = MountCall::of_secrets(azure, &names).of_another_pod();
    driver.mount(&volume).await.unwrap();
    azure.journal().clear();
    driver.mount(&volume).await.unwrap();
    let asked = Route::service(Service::Vault).credentials(true);
    assert_eq!(azure.journal().count(&asked), 2, "a list and a read: {:?}", azure.journal().lines());

    let lists = asked.clone().matching(|head| head.path.trim_matches('/') == "secrets");
    let reads = asked.path_prefix("/secrets/kept-");
    let refused = Fault::Status { code: 403, retry_after: None, body: Some(VALUE.to_owned()) };
    let body = json!({ "value": [{ "id": VALUE, "attributes": { "updated": VALUE } }] }).to_string();
    let rubbish = Fault::InvalidBody { content_type: "application/json".to_owned(), body: body.into() };
    let mut errors = Vec::new();
    for (route, fault) in [(reads, refused), (lists, rubbish)] {
        let id = azure.faults().inject(route, fault);
        errors.extend(driver.mount(&volume).await.err());
        assert!(azure.faults().hits(id) > 0, "{:?}", azure.journal().lines());
        azure.faults().remove(id);
        driver.mount(&volume).await.unwrap();
    }
    assert_eq!(errors.len(), 1, "a list that fails leaves the reads");
    errors
}

/// Stores an archive that opens and one under a password. Returns the scalar of the first one's key.
fn put_archives(azure: &Azure) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pkcs12");
    for (name, file) in [("opens", "plain.pfx"), ("locked", "password.pfx"), ("broken", "p256.pem")] {
        let archive = std::fs::read(format!("{folder}/{file}")).unwrap();
        let body = json!({
            "value": BASE64.encode(&archive), "contentType": "application/x-pkcs12", "kid": "/keys/a/1",
        });
        let Value::Object(body) = body else { unreachable!() };
        azure.vaults().put("lab", ObjectKind::Secret, name, body);
    }
    let archive =
        Archive::open(&std::fs::read(format!("{folder}/plain.pfx")).unwrap(), "", &mut Work::of_mount())
            .unwrap();
    let key = PrivateKey::from_pkcs8(archive.keys[0].expose()).unwrap();
    let at = key.pkcs8().windows(2).position(|window| window == [0x04, 0x20]).unwrap() + 2;
    key.pkcs8()[at..at + 32].to_vec()
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/pkcs12/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Returns an RSA key and its certificate in PEM.
fn client_certificate() -> String {
    String::from_utf8(fixture("rsa.pem")).unwrap()
}

/// Returns a part of the private exponent of that key.
fn client_key() -> Vec<u8> {
    let pem = client_certificate();
    let key = pem.split("-----").nth(2).unwrap().split_whitespace().collect::<String>();
    BASE64.decode(key.as_bytes()).unwrap()[400..432].to_vec()
}

fn attempts(azure: &Azure) -> Vec<Attempt> {
    let good = MountCall::of_secrets(azure, &["db-password"]);
    let principal = |secret| {
        MountCall::of("- {objectName: db-password, objectType: secret}")
            .with_secrets(&[("clientid", "dddddddd-0000-0000-0000-000000000003"), ("clientsecret", secret)])
    };
    let objects = |objects: &str| MountCall::of(objects).workload(azure);
    let tokens = |tokens: &str| good.clone().with("csi.storage.k8s.io/serviceAccount.tokens", tokens);
    let read = || Route::service(Service::Vault).credentials(true);
    let forged = json!({ "api://AzureADTokenExchange": { "token": FORGED_TOKEN } }).to_string();

    let ends_well = [
        good.clone(),
        principal(RIGHT_SECRET),
        objects("- {objectName: opens, objectType: secret}"),
        objects("- {objectName: opens, objectType: secret, objectFormat: pfx, objectEncoding: base64}"),
        objects("- {objectName: conn, objectType: secret, jmesPath: [{path: a.password, objectAlias: p}]}"),
        objects("- {objectName: conn, objectType: secret, extract: yaml, objectAlias: ./}"),
        objects("- {objectName: lines, objectType: secret, extract: dotenv}"),
        objects(&format!("- {{objectName: nope, objectType: secret, default: '{DEFAULT}'}}")),
        objects(&format!(
            "- {{objectName: conn, objectType: secret, jmesPath: [{{path: x, objectAlias: p, default: '{DEFAULT}'}}]}}"
        )),
        objects(&format!(
            "- {{objectAlias: c, combine: {{format: dotenv, items: [{{key: A, objectName: db-password}}, {{key: B, \
             objectName: conn, jmesPath: a.password}}, {{key: C, objectName: nope, default: '{DEFAULT}'}}]}}}}"
        )),
        objects(
            "- {objectName: opens, objectType: secret, outputs: [{objectAlias: k, content: key}, {objectAlias: s, \
             content: keystore, passwordObject: store-password}, {objectAlias: t, content: truststore, \
             passwordObject: store-password, profile: LegacyDES}, {objectAlias: m, content: metadata}]}",
        ),
    ];
    let fails = [
        // Parameters.
        good.clone().with("keyvaultName", "no vault"),
        tokens(&format!("{FORGED_TOKEN} {VALUE}")),
        tokens(&json!({ "api://AzureADTokenExchange": FORGED_TOKEN }).to_string()),
        tokens(&json!({ "api://other": { "token": FORGED_TOKEN } }).to_string()),
        principal(WRONG_SECRET).with("clientID", "not an id"),
        principal("").with_secrets(&[("clientsecret", WRONG_SECRET)]),
        principal("").with_secrets(&[("clientid", VALUE), ("clientsecret", WRONG_SECRET)]),
        objects(&format!("- {{objectName: a, objectType: key, default: '{DEFAULT}'}}")),
        objects(&format!("- |\n  objectName: a\n  objectType: secret\n  default: '{DEFAULT}\n")),
        objects(&format!("- {{objectName: a, objectType: secret, default: '{}'}}", DEFAULT.repeat(200))),
        // Entra.
        tokens(&forged),
        tokens(&azure.expired_service_account_tokens("default", "app")),
        tokens(&azure.service_account_tokens("other", "app")),
        principal(WRONG_SECRET),
        // One that Entra does not know, and one that does not open.
        principal("").with_secrets(&[
            ("clientid", "dddddddd-0000-0000-0000-000000000003"),
            ("clientcertificate", &client_certificate()),
            ("clientcertificatepassword", CERTIFICATE_PASSWORD),
        ]),
        principal("").with_secrets(&[
            ("clientid", "dddddddd-0000-0000-0000-000000000003"),
            ("clientcertificate", &BASE64.encode(&fixture("password.pfx"))),
            ("clientcertificatepassword", CERTIFICATE_PASSWORD),
        ]),
        principal("").with_secrets(&[
            ("clientid", "dddddddd-0000-0000-0000-000000000003"),
            ("clientsecret", WRONG_SECRET),
            ("clientcertificate", &client_certificate()),
            ("sendcertificatechain", CERTIFICATE_PASSWORD),
        ]),
        principal(RIGHT_SECRET).with("tenantId", "99999999-0000-0000-0000-000000000000"),
        // Objects and their content.
        objects("- {objectName: db-password, objectType: secret, objectEncoding: base64}"),
        objects("- {objectName: db-password, objectType: secret, objectEncoding: hex}"),
        objects("- {objectName: locked, objectType: secret}\n- {objectName: broken, objectType: secret}"),
        objects("- {objectName: opens, objectType: secret, objectEncoding: hex}"),
        objects("- {objectName: nope, objectType: secret}"),
        objects("- {objectName: db-password, objectType: secret, extract: json}"),
        objects("- {objectName: db-password, objectType: secret, extract: yaml}"),
        objects("- {objectName: db-password, objectType: secret, extract: dotenv}"),
        objects("- {objectName: conn, objectType: secret, extract: dotenv}"),
        objects("- {objectName: conn, objectType: secret, jmesPath: [{path: a.x, objectAlias: p}]}"),
        objects(
            "- {objectName: conn, objectType: secret, jmesPath: [{path: a.password, objectAlias: p, objectEncoding: hex}]}",
        ),
        objects(
            "- {objectName: conn, objectType: secret, extract: json, objectAlias: c}\n\
             - {objectName: db-password, objectType: secret, objectAlias: c/a/b}",
        ),
        objects(
            "- {objectAlias: c, combine: {format: json, items: [{key: A, objectName: db-password, jmesPath: a}, {key: B, \
             objectName: conn, jmesPath: a.x}]}}\n- {objectAlias: d, combine: {format: dotenv, items: [{key: A, \
             objectName: nul}]}}",
        ),
        objects(&format!(
            "- {{objectAlias: c, combine: {{format: dotenv, items: [{{key: A, objectName: a, default: '{DEFAULT}', \
             optional: false}}]}}}}"
        )),
        objects(
            "- {objectName: locked, objectType: secret, outputs: tls-pem, sourcePasswordObject: store-password}\n- \
             {objectName: opens, objectType: secret, outputs: [{objectAlias: c, content: chain}]}\n- {objectName: \
             db-password, objectType: secret, outputs: [{objectAlias: s, content: keystore, passwordObject: \
             store-password}]}",
        ),
        objects(&format!(
            "- {{objectName: opens, objectType: secret, outputs: [{{objectAlias: s, content: keystore, password: \
             {STORE_PASSWORD:?}}}]}}"
        )),
        good.clone().with("keyvaultName", "missing"),
    ];
    let faults = [
        (read(), Fault::status(400)),
        (read(), Fault::status(403)),
        (read(), Fault::Status { code: 403, retry_after: None, body: Some(VALUE.to_owned()) }),
        (read(), invalid(json!({ "value": [VALUE] }).to_string())),
        (read(), invalid(format!("{VALUE} is not JSON"))),
        (read(), Fault::Redirect("https://evil.vault.azure.net/".to_owned())),
    ];
    let attempt = |ends_well| move |call| Attempt { call, fault: None, ends_well };
    let mut attempts: Vec<_> = ends_well.map(attempt(true)).into_iter().collect();
    attempts.extend(fails.map(attempt(false)));
    attempts.extend(faults.map(|fault| Attempt { call: good.clone(), fault: Some(fault), ends_well: false }));
    // Another client, so that the provider must ask Entra.
    let fresh = |fault| Attempt {
        call: good.clone().with("clientID", "cccccccc-0000-0000-0000-000000000009"),
        fault: Some((Route::token_endpoint(), fault)),
        ends_well: false,
    };
    attempts.push(fresh(Fault::Status { code: 400, retry_after: None, body: Some(VALUE.to_owned()) }));
    attempts.push(fresh(invalid(json!({ "access_token": [VALUE] }).to_string())));
    attempts
}

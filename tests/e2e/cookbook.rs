//! Mounts the example of each recipe in docs/cookbook.md, with the objects that the recipe speaks of.

use std::{collections::BTreeSet, fs, path::Path};

use akv_emulator::{
    ObjectKind, ObjectVersion, VaultContent,
    fixtures::{BundleFormat, CertificateFixture, ChainOrder, KeyKind},
};
use serde::Deserialize;
use serde_json::{Map, json};

use crate::harness::{Azure, MountCall, Provider};

/// The examples, and the files of each.
const RECIPES: [(&str, &[(&str, &str)]); 13] = [
    ("json-keys", &[("db/user", "app"), ("db/password", "p@ss"), ("db/host", "db-0")]),
    (
        "extract",
        &[("settings/mode", "fast"), ("settings/size", "1.50"), ("env/LEVEL", "info"), ("env/NAME", "a b")],
    ),
    (
        "combine",
        &[(
            "app.env",
            "DB_USER='app'\nDB_PASSWORD='p@ss'\nSTORE_PASSWORD='correct horse'\nLOG_LEVEL='info'\n",
        )],
    ),
    ("find", &[("shop/api-key", "k-2"), ("shop/db-password", "p@ss")]),
    ("optional", &[("mode", "standard")]),
    ("optional-secret-sync", &[("api-key", "")]),
    ("version-policy", &[("green", "new"), ("blue", "old")]),
    ("nginx-tls", &[("web/tls.crt", ANY), ("web/tls.key", ANY), ("web/ca.crt", ANY)]),
    ("envoy-tls", &[("tls/cert.pem", ANY), ("tls/key.pem", ANY), ("tls/clients-ca.pem", ANY)]),
    (
        "spring-boot-keystore",
        &[("keystore.p12", ANY), ("truststore.p12", ANY), ("web.ssl.password", "correct horse")],
    ),
    ("kestrel-pfx", &[("web.pfx", ANY), ("Kestrel__Certificates__Default__Password", "correct horse")]),
    ("tls-outputs-sync", &[("web/tls.crt", ANY), ("web/tls.key", ANY), ("web/ca.crt", ANY)]),
    ("several-vaults", &[("db-password", "p@ss"), ("ca-bundle.pem", "PEM")]),
];

/// Content that differs from run to run, as the certificate does.
const ANY: &str = "any";

#[derive(Deserialize)]
struct Document {
    kind: String,
    spec: Option<Spec>,
}

#[derive(Deserialize)]
struct Spec {
    parameters: Option<Map<String, serde_json::Value>>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the vault of the recipes.
fn demo() -> VaultContent {
    let version = |id: &str, created: i64, value: &str| {
        let body = Map::from_iter([("value".to_owned(), json!(value))]);
        ObjectVersion::new(id, created, body)
    };
    let mut content = VaultContent::default();
    let secrets = content.objects_mut(ObjectKind::Secret);
    for (name, value) in [
        ("db", r#"{"user":"app","password":"p@ss","hosts":["db-0","db-1"]}"#),
        ("db-password", "p@ss"),
        ("app-settings", r#"{"mode":"fast","size":1.50}"#),
        ("app-env", "LEVEL=info\nexport NAME='a b'\n"),
        ("web-store-password", "correct horse"),
        ("shop-db-password", "p@ss"),
        ("shop-api-key", "k-2"),
    ] {
        secrets.insert(name.to_owned(), vec![version("1", 1_700_000_000, value)]);
    }
    // Created before and after 2026-06-05T19:41Z, and one that is not switched on yet.
    let next = ObjectVersion { enabled: false, ..version("3", 1_781_000_000, "next") };
    let versions = vec![version("1", 1_780_000_000, "old"), version("2", 1_780_700_000, "new"), next];
    secrets.insert("signing-secret".to_owned(), versions);
    content
}

#[tokio::test]
async fn each_recipe_of_the_cookbook_mounts_its_files() {
    let azure = Azure::with_secrets(&[]).await;
    azure.vaults().replace_vault("demo", demo());
    let certificate = CertificateFixture::generate("web.example", KeyKind::P256).unwrap();
    for (name, format) in [("web", BundleFormat::Pfx), ("clients", BundleFormat::Pem)] {
        azure.vaults().put_certificate("demo", name, &certificate, format, ChainOrder::Shuffled).unwrap();
    }
    azure.vaults().put_secret("shared", "ca-bundle", "PEM");
    let provider = Provider::start(&azure);
    for (name, files) in RECIPES {
        let manifest = fs::read_to_string(root().join(format!("manifests/examples/{name}.yaml"))).unwrap();
        let documents: Vec<Document> = serde_saphyr::from_multiple(&manifest).unwrap();
        let class = documents.into_iter().find(|document| document.kind == "SecretProviderClass").unwrap();
        let parameters = class.spec.and_then(|spec| spec.parameters).unwrap();
        let call = MountCall::of("").workload(&azure);
        let call = parameters.iter().fold(call, |call, (key, value)| call.with(key, value.as_str().unwrap()));
        let mounted = provider.driver().mount(&call.of_another_pod()).await;
        let mounted = mounted.unwrap_or_else(|status| panic!("{name}: {}", status.message()));
        assert_eq!(mounted.paths(), files.iter().map(|(path, _)| *path).collect::<Vec<_>>(), "{name}");
        for (path, text) in files.iter().filter(|(_, text)| *text != ANY) {
            assert_eq!(mounted.text(path), *text, "{name}");
        }
    }
}

#[test]
fn each_recipe_of_the_cookbook_is_mounted_by_a_test() {
    let page = fs::read_to_string(root().join("docs/cookbook.md")).unwrap();
    let linked = page.split("(../manifests/examples/").skip(1);
    let linked: BTreeSet<&str> = linked.filter_map(|rest| rest.split(".yaml)").next()).collect();
    assert_eq!(linked, RECIPES.map(|(name, _)| name).into());
}

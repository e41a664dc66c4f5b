//! Combined files, as readers that we did not write read them: a shell, Python and Java.

use std::{collections::BTreeMap, fs, process::Command};

use akv_emulator::{Fault, Route, Service};
use tonic::Code;

use crate::harness::{Azure, MountCall, Mounted, Provider};

/// Values that are special in at least one of the formats.
const VALUES: &[&str] = &[
    "",
    "plain",
    "it's $HOME `id` $(id) \"q\" \\ \\n !x",
    "'",
    "\\",
    " blanks around ",
    "line\nend\n",
    "cr\r\nlf",
    "\ttab\u{c}",
    "# no comment = : !",
    "yes",
    "1.10",
    "null",
    "ünïcödé 😀 \u{85}\u{2028}\u{feff}",
    "- a: [b]",
];

const READ_YAML: &str = "import sys, json, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1], encoding='utf-8', newline=''))))";
const READ_JSON: &str =
    "import sys, json; print(json.dumps(json.load(open(sys.argv[1], encoding='utf-8', newline=''))))";
const READ_SHELL: &str =
    "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('K')}))";
const READ_PROPERTIES: &str = r#"
import java.io.*; import java.util.*;
class Show {
    public static void main(String[] a) throws Exception {
        Properties p = new Properties();
        try (InputStream in = new FileInputStream(a[0])) { p.load(in); }
        StringBuilder all = new StringBuilder("{");
        for (String key : p.stringPropertyNames()) {
            if (all.length() > 1) all.append(",");
            all.append(text(key)).append(":").append(text(p.getProperty(key)));
        }
        System.out.println(all.append("}"));
    }
    static String text(String value) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : value.toCharArray()) out.append(String.format("\\u%04x", (int) c));
        return out.append("\"").toString();
    }
}
"#;

/// Returns an entry whose items are all values, under `K0`, `K1` and so on.
fn entry(format: &str) -> String {
    let item = |index| format!("{{key: K{index}, objectName: s{index}}}");
    let items: Vec<String> = (0..VALUES.len()).map(item).collect();
    format!("- {{objectAlias: f, combine: {{format: {format}, items: [{}]}}}}", items.join(", "))
}

async fn vault() -> Azure {
    let azure = Azure::with_secrets(&[]).await;
    for (index, value) in VALUES.iter().enumerate() {
        azure.vaults().put_secret("lab", &format!("s{index}"), value);
    }
    azure
}

async fn mount(azure: &Azure, objects: &str) -> Result<Mounted, tonic::Status> {
    let provider = Provider::start(azure);
    provider.driver().mount(&MountCall::of(objects).workload(azure).of_another_pod()).await
}

/// Runs a reader that prints a map as JSON; `None` if the reader is not here.
fn printed(command: &mut Command) -> Option<BTreeMap<String, String>> {
    let output = command.output().ok()?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if error.contains("No module named") {
        return None;
    }
    assert!(output.status.success(), "{command:?}: {error}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn every_reader_gets_the_bytes_of_the_vault() {
    let azure = vault().await;
    let folder = tempfile::tempdir().unwrap();
    let expected: BTreeMap<String, String> = (0..)
        .zip(VALUES)
        .map(|(index, value): (usize, _)| (format!("K{index}"), (*value).to_owned()))
        .collect();
    let java = folder.path().join("Show.java");
    fs::write(&java, READ_PROPERTIES).unwrap();
    for format in ["dotenv", "json", "yaml", "properties"] {
        let mounted = mount(&azure, &entry(format)).await.unwrap();
        assert_eq!((mounted.paths(), mounted.versions.len()), (vec!["f"], VALUES.len()), "{format}");
        let file = folder.path().join(format);
        fs::write(&file, &mounted.files[0].2).unwrap();
        let readers = match format {
            "dotenv" => vec!["sh", "dash", "bash"],
            "properties" => vec!["java"],
            _ => vec!["python3"],
        };
        for reader in readers {
            let mut command = Command::new(reader);
            match format {
                "dotenv" => command
                    .args(["-c", "set -a; . \"$1\"; exec python3 -c \"$2\"", reader])
                    .arg(&file)
                    .arg(READ_SHELL),
                "json" => command.args(["-c", READ_JSON]).arg(&file),
                "yaml" => command.args(["-c", READ_YAML]).arg(&file),
                _ => command.arg(&java).arg(&file),
            };
            match printed(command.env("PYTHONUTF8", "1")) {
                Some(found) => assert_eq!(found, expected, "{format} by {reader}"),
                None => println!("skipped: no {reader} here reads {format}"),
            }
        }
    }
}

#[tokio::test]
async fn items_of_one_secret_are_one_read_and_one_version() {
    let azure = Azure::with_secrets(&[("db", r#"{"user":"app","n":1.10,"none":null}"#)]).await;
    let objects = "- {objectAlias: f, filePermission: 0400, combine: {format: json, items: [{key: u, objectName: db, jmesPath: \
                   user}, {key: n, objectName: db, jmesPath: n}, {key: x, objectName: db, jmesPath: none, default: d}, {key: y, \
                   objectName: db, jmesPath: none, optional: true}]}}\n- {objectName: db, objectType: secret}";
    let mounted = mount(&azure, objects).await.unwrap();
    assert_eq!(mounted.text("f"), r#"{"u":"app","n":"1.10","x":"d"}"#);
    assert_eq!(mounted.files[0].1, 0o400);
    assert_eq!(azure.journal().count(&Route::service(Service::Vault).credentials(true)), 1);
    let ids: std::collections::BTreeSet<_> = mounted.versions.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["secret/db"].into());
}

#[tokio::test]
async fn a_file_without_any_item_is_empty() {
    let azure = Azure::with_secrets(&[]).await;
    for (format, expected) in [("dotenv", ""), ("properties", ""), ("json", "{}"), ("yaml", "{}")] {
        let objects = format!(
            "- {{objectAlias: f, optional: true, combine: {{format: {format}, items: [{{key: A, objectName: nope}}, {{key: B, \
             objectName: nada, jmesPath: x, optional: true}}]}}}}"
        );
        let mounted = mount(&azure, &objects).await.unwrap();
        assert_eq!((mounted.paths(), mounted.text("f")), (vec!["f"], expected), "{format}");
        let absent = |id: &str| (id.to_owned(), "absent".to_owned());
        assert_eq!(mounted.versions, [absent("secret/nope"), absent("secret/nada")]);
    }
}

#[tokio::test]
async fn an_absent_secret_of_several_items_has_the_version_default_if_any_default_was_used() {
    let azure = Azure::with_secrets(&[]).await;
    let objects = "- {objectAlias: f, combine: {format: json, items: [{key: A, objectName: nope, optional: true}, {key: B, \
                   objectName: nope, jmesPath: x, default: d}]}}";
    let mounted = mount(&azure, objects).await.unwrap();
    assert_eq!(mounted.text("f"), r#"{"B":"d"}"#);
    assert_eq!(mounted.versions, [("secret/nope".to_owned(), "default".to_owned())]);
}

#[tokio::test]
async fn one_failing_item_fails_the_mount_and_all_of_them_are_named() {
    let azure = Azure::with_secrets(&[("db", "{}"), ("text", "not JSON"), ("nul", "a\0b")]).await;
    for (items, code, mentions) in [
        (
            "{key: A, objectName: db, jmesPath: x}",
            Code::FailedPrecondition,
            &["AKV-NoSuchKey", "secret/db", "\"x\"", "file f"][..],
        ),
        (
            "{key: A, objectName: text, jmesPath: x}",
            Code::FailedPrecondition,
            &["AKV-CannotConvert", "not JSON at line 1"],
        ),
        ("{key: A, objectName: nul}", Code::FailedPrecondition, &["AKV-CannotConvert", "NUL", "\"A\""]),
        (
            "{key: A, objectName: nope}, {key: B, objectName: nada}",
            Code::NotFound,
            &["secret/nope", "secret/nada"],
        ),
    ] {
        let objects = format!(
            "- {{objectAlias: f, combine: {{format: dotenv, items: [{{key: O, objectName: db}}, {items}]}}}}"
        );
        let status = mount(&azure, &objects).await.map(|mounted| mounted.paths().len()).unwrap_err();
        assert_eq!(status.code(), code, "{}", status.message());
        for mention in mentions {
            assert!(status.message().contains(mention), "no {mention}: {}", status.message());
        }
    }
    // A fault of permission is no absence.
    let read = Route::service(Service::Vault).credentials(true).path_prefix("/secrets/nope");
    azure.faults().inject(read, Fault::status(403));
    let objects = "- {objectAlias: f, optional: true, combine: {format: json, items: [{key: A, objectName: nope, default: d}]}}";
    let status = mount(&azure, objects).await.map(|mounted| mounted.paths().len()).unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{}", status.message());
}

#[tokio::test]
async fn a_combined_file_beyond_the_drivers_limit_is_too_large() {
    let azure = Azure::with_secrets(&[]).await;
    // Each byte becomes six in JSON.
    azure.vaults().put_secret("lab", "big", &"\u{1}".repeat(25_000));
    let item = |index| format!("{{key: K{index}, objectName: big}}");
    let items: Vec<String> = (0..200).map(item).collect();
    let objects = format!("- {{objectAlias: f, combine: {{format: json, items: [{}]}}}}", items.join(", "));
    let status = mount(&azure, &objects).await.map(|mounted| mounted.paths().len()).unwrap_err();
    assert!(status.message().contains("[AKV-TooLarge]"), "{}", status.message());
    assert!(status.message().contains("f ("), "{}", status.message());
}

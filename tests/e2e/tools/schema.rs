//! `schema`, judged by validators of JSON Schema and CEL that are not ours.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use akv_provider::parameters::{self, MountTexts};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

use super::{run, stdout};

/// Returns the parameters of all recorded calls, with whether the parser takes them.
fn recorded() -> Vec<(String, BTreeMap<String, String>, bool)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let files = ["conformance", "objects"].into_iter().flat_map(|folder| {
        std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    });
    let mut calls = Vec::new();
    for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "json")) {
        let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for case in cases {
            let attributes = &case["request"]["attributes"];
            let Some(attributes) = attributes.as_object() else { continue };
            let all: BTreeMap<String, String> = attributes
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect();
            let attributes = attributes_json(&all);
            let texts = |secrets| MountTexts { attributes: &attributes, secrets, permission: "420" };
            let with = json!({ "clientid": ID, "clientsecret": "x" }).to_string();
            let is_taken = parameters::parse(texts("{}")).is_ok() || parameters::parse(texts(&with)).is_ok();
            let parameters: BTreeMap<_, _> = all.into_iter().filter(|(key, _)| !key.contains('/')).collect();
            calls.push((format!("{}: {}", file.display(), case["name"]), parameters, is_taken));
        }
    }
    calls
}

const ID: &str = "00000000-0000-0000-0000-000000000001";

/// Returns attributes as the driver would send them, with the harness's placeholders replaced.
fn attributes_json(attributes: &BTreeMap<String, String>) -> String {
    let tokens = json!({
        "api://AzureADTokenExchange": { "token": "x" }, "api://AKSIdentityBinding": { "token": "x" }
    });
    let replaced = attributes.iter().map(|(key, value)| {
        let value = if value.starts_with("$SA_TOKENS") { tokens.to_string() } else { placeholder(value) };
        (key.clone(), value)
    });
    json!(replaced.collect::<BTreeMap<_, _>>()).to_string()
}

/// Replaces the names of the cases' identities by client ids.
fn placeholder(value: &str) -> String {
    let is_name = value.len() > 1 && value[1..].bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if value.starts_with('$') && is_name { ID.to_owned() } else { value.to_owned() }
}

fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/schema-python/bin/python");
    python.exists().then_some(python)
}

/// Returns for each class the rules that refuse it.
async fn judge(python: &Path, classes: &[&BTreeMap<String, String>]) -> Vec<Vec<String>> {
    let schema: Value = serde_json::from_str(stdout(&run(&["schema"]).await)).unwrap();
    let policy = run(&["schema", "--policy"]).await;
    let asked = json!({ "schema": schema, "policy": stdout(&policy), "classes": classes }).to_string();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/tools/witness/judge.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(asked.as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn schema_and_policy_refuse_nothing_that_the_parser_takes() {
    let Some(python) = python() else {
        println!("skipped: no Python with jsonschema and cel-python in target/tools/schema-python");
        return;
    };
    let recorded = recorded();
    let taken: Vec<_> = recorded.iter().filter(|(_, _, is_taken)| *is_taken).collect();
    assert!(taken.len() > 100, "{} of {} calls are taken", taken.len(), recorded.len());
    let classes: Vec<_> = taken.iter().map(|(_, parameters, _)| with_ids(parameters)).collect();
    let refusals = judge(&python, &classes.iter().collect::<Vec<_>>()).await;
    for ((name, ..), refused) in taken.iter().zip(refusals) {
        assert!(refused.is_empty(), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn mistakes_that_cel_can_see_are_refused_by_the_policy() {
    let Some(python) = python() else {
        println!("skipped: no Python with jsonschema and cel-python in target/tools/schema-python");
        return;
    };
    let good = [("keyvaultName", "lab"), ("objects", "array: []"), ("clientID", ID), ("tenantID", ID)];
    let class = |changes: &[(&str, Option<&str>)]| {
        let mut class = BTreeMap::from(good.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for (key, value) in changes {
            match value {
                Some(value) => class.insert((*key).to_owned(), (*value).to_owned()),
                None => class.remove(*key),
            };
        }
        class
    };
    let cases = [
        (class(&[]), ""),
        (class(&[("keyvaultName", None)]), "keyvaultName"),
        (class(&[("keyvaultName", Some("https://lab.vault.azure.net"))]), "keyvaultName"),
        (class(&[("keyvaultName", Some("lab-"))]), "keyvaultName"),
        (class(&[("objects", Some(" "))]), "objects"),
        (class(&[("usePodIdentity", Some("yes"))]), "usePodIdentity"),
        (class(&[("usePodIdentity", Some("true")), ("useVMManagedIdentity", Some("1"))]), "only one"),
        (class(&[("cloudName", Some("MoonCloud"))]), "cloudName"),
        (class(&[("cloudName", Some("azureusgovernment"))]), ""),
        (class(&[("clientID", Some("my-app"))]), "clientID"),
        (class(&[("clientID", Some("my-app")), ("useVMManagedIdentity", Some("true"))]), ""),
        (class(&[("tenantID", Some("a/b"))]), "tenantID"),
    ];
    let classes: Vec<_> = cases.iter().map(|(class, _)| class).collect();
    for (refused, (class, expected)) in judge(&python, &classes).await.iter().zip(&cases) {
        let rules: Vec<&String> = refused.iter().filter(|rule| *rule != "schema").collect();
        match *expected {
            "" => assert!(rules.is_empty(), "{class:?}: {refused:?}"),
            expected => assert!(rules.len() == 1 && rules[0].contains(expected), "{class:?}: {refused:?}"),
        }
    }
}

/// Replaces the names of the cases' identities by client ids.
fn with_ids(parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    parameters.iter().map(|(key, value)| (key.clone(), placeholder(value))).collect()
}

#[tokio::test]
async fn the_policy_of_the_chart_is_that_of_the_tool() {
    let chart = "manifests/charts/csi-secrets-store-provider-azure/files/admission-policy.yaml";
    let in_chart = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(chart)).unwrap();
    let policy = run(&["schema", "--policy"]).await;
    assert_eq!(in_chart, stdout(&policy), "write it anew: akv-provider schema --policy");
}

//! The kustomizations, rendered with `kubectl kustomize` if there is kubectl (`KUBECTL` or `PATH`).

use std::process::Command;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    container, kubernetes,
    repository::{documents, files, path, program, run, text},
};

const BASE: &str = "manifests/kustomize/base";
const OVERLAYS: &str = "manifests/kustomize/overlays";

/// The fields of kustomize that this project uses.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "read for its field names")]
struct Kustomization {
    api_version: String,
    kind: String,
    namespace: Option<String>,
    resources: Vec<String>,
    config_map_generator: Option<Vec<Value>>,
    patches: Option<Vec<Value>>,
}

fn directories() -> Vec<String> {
    let mut all = files(OVERLAYS);
    all.push(BASE.to_owned());
    all
}

fn build(directory: &str) -> Option<Vec<Value>> {
    let kubectl = program("kubectl", "KUBECTL")?;
    let rendered = run(Command::new(kubectl).arg("kustomize").arg(path(directory)));
    Some(documents(&rendered.unwrap_or_else(|error| panic!("{directory}: {error}"))))
}

/// Returns the DaemonSet of an overlay.
fn daemonset(overlay: &str) -> Option<Value> {
    let objects = build(&format!("{OVERLAYS}/{overlay}"))?;
    Some(kubernetes::one(&objects, "DaemonSet").clone())
}

#[test]
fn every_kustomization_uses_fields_that_kustomize_has() {
    for directory in directories() {
        let text = text(&format!("{directory}/kustomization.yaml"));
        let read: Result<Kustomization, _> = serde_saphyr::from_str(&text);
        read.unwrap_or_else(|error| panic!("{directory}: {error}"));
    }
}

#[test]
fn the_base_is_the_plain_yaml() {
    assert_eq!(
        documents(&text(&format!("{BASE}/provider.yaml"))),
        documents(&text("manifests/deploy/provider.yaml"))
    );
}

#[test]
fn every_kustomization_renders_what_kubernetes_and_the_provider_accept() {
    for directory in directories() {
        let Some(objects) = build(&directory) else { return };
        kubernetes::check_all(&directory, &objects);
    }
}

#[test]
fn the_host_network_is_only_in_the_overlay_for_it() {
    for directory in directories() {
        let Some(objects) = build(&directory) else { return };
        let pod = &kubernetes::one(&objects, "DaemonSet")["spec"]["template"]["spec"];
        assert_eq!(pod["hostNetwork"], directory.ends_with("/imds"), "{directory}");
    }
}

#[test]
fn the_new_pod_comes_first_only_in_the_overlay_for_it() {
    for directory in directories() {
        let Some(objects) = build(&directory) else { return };
        let strategy = &kubernetes::one(&objects, "DaemonSet")["spec"]["updateStrategy"]["rollingUpdate"];
        let expected = if directory.ends_with("/surge") { [1, 0] } else { [0, 1] };
        assert_eq!(*strategy, json!({"maxSurge": expected[0], "maxUnavailable": expected[1]}), "{directory}");
    }
}

#[test]
fn the_namespace_is_everywhere_the_overlays() {
    let Some(objects) = build(&format!("{OVERLAYS}/namespace")) else { return };
    let name = &kubernetes::one(&objects, "Namespace")["metadata"]["name"];
    for kind in ["DaemonSet", "ServiceAccount"] {
        assert_eq!(kubernetes::one(&objects, kind)["metadata"]["namespace"], *name, "{kind}");
    }
}

#[test]
fn generated_config_maps_are_where_the_pods_are_and_under_the_name_they_use() {
    for overlay in ["proxy", "azure-stack"] {
        let Some(objects) = build(&format!("{OVERLAYS}/{overlay}")) else { return };
        let map = &kubernetes::one(&objects, "ConfigMap")["metadata"];
        let daemonset = kubernetes::one(&objects, "DaemonSet");
        assert_eq!(map["namespace"], daemonset["metadata"]["namespace"], "{overlay}");
        let pods = daemonset["spec"]["template"].to_string();
        assert!(pods.contains(map["name"].as_str().unwrap()), "{overlay}: {pods}");
    }
}

#[tokio::test]
async fn azure_stack_finds_its_endpoints_in_the_file() {
    let Some(daemonset) = daemonset("azure-stack") else { return };
    let mut defaults = container::config(&daemonset).mounts.clouds;
    assert_eq!(defaults.file, Some("/etc/akv-provider/cloud/cloud.json".into()));
    // The file that is mounted there.
    defaults.file = Some(path(&format!("{OVERLAYS}/azure-stack/cloud.json")));
    let cloud = akv_provider::cloud::CloudEnvironment::resolve(
        &akv_provider::spec::cloud::CloudChoice::Default,
        &defaults,
    );
    let vault = cloud.await.unwrap().vault(&"demo".parse().unwrap()).url;
    assert_eq!(vault.as_str(), "https://demo.vault.stamp.example.com/");
}

//! The plain YAML.

use k8s_openapi::api::apps::v1::DaemonSet;
use serde_json::json;

use crate::{
    container, kubernetes,
    repository::{documents, files_within, text},
};

#[test]
fn every_object_is_one_that_kubernetes_and_the_provider_accept() {
    let ours = |file: &String| {
        file.ends_with(".yaml")
            && !file.ends_with("/kustomization.yaml")
            && !file.ends_with(".values.yaml")
            && !file.ends_with("/seed.yaml")
            && !file.starts_with("manifests/charts/")
    };
    let files: Vec<_> = files_within("manifests").into_iter().filter(ours).collect();
    assert!(files.contains(&"manifests/deploy/provider.yaml".to_owned()), "{files:?}");
    for file in files {
        for object in documents(&text(&file)) {
            // It listens where no driver looks: below.
            if object["metadata"]["name"] != PULL {
                kubernetes::check(&object).unwrap_or_else(|error| panic!("{file}: {error}"));
            }
        }
    }
}

const PULL: &str = "akv-provider-pull";

#[test]
fn the_pod_that_pulls_the_image_starts_and_takes_no_socket_or_port_of_the_node() {
    let objects = documents(&text("manifests/recipes/pull-image.yaml"));
    let daemonset = kubernetes::one(&objects, "DaemonSet");
    kubernetes::read::<DaemonSet>(daemonset).unwrap();
    let config = container::config(daemonset);
    assert_eq!(config.endpoint.to_string(), "unix:///run/pull/azure.sock");
    let pod = &daemonset["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"], json!([{"name": "socket", "emptyDir": {}}]));
    assert_eq!(pod["containers"][0]["volumeMounts"], json!([{"name": "socket", "mountPath": "/run/pull"}]));
    let image = pod["containers"][0]["image"].as_str().unwrap();
    assert_eq!(image, format!("akv-provider:{}", env!("CARGO_PKG_VERSION")));
    for port in ["--healthz-port=0", "--prometheus-port=0"] {
        assert!(pod["containers"][0]["args"].as_array().unwrap().contains(&json!(port)));
    }
}

/// `kubectl apply` replaces provider-azure's DaemonSet only under the same name and selector.
#[test]
fn names_and_selector_are_those_of_provider_azure() {
    let objects = documents(&text("manifests/deploy/provider.yaml"));
    let daemonset = kubernetes::one(&objects, "DaemonSet");
    let name = "csi-secrets-store-provider-azure";
    assert_eq!(daemonset["metadata"]["name"], name);
    assert_eq!(daemonset["metadata"]["namespace"], "kube-system");
    assert_eq!(daemonset["spec"]["selector"], json!({"matchLabels": {"app": name}}));
    assert_eq!(kubernetes::one(&objects, "ServiceAccount")["metadata"]["name"], name);
    assert_eq!(daemonset["spec"]["template"]["spec"]["containers"][0]["name"], "provider-azure-installer");
}

#[test]
fn all_arguments_are_known_flags() {
    let objects = documents(&text("manifests/deploy/provider.yaml"));
    let flags = container::flags(kubernetes::one(&objects, "DaemonSet"));
    assert_eq!(flags.difference(&container::settable_flags()).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn the_image_is_of_this_version() {
    let objects = documents(&text("manifests/deploy/provider.yaml"));
    let pod = &kubernetes::one(&objects, "DaemonSet")["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], format!("akv-provider:{}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_driver_requests_both_audiences_and_sends_pod_info() {
    let objects = documents(&text("manifests/deploy/csidriver.yaml"));
    let spec = &kubernetes::one(&objects, "CSIDriver")["spec"];
    assert_eq!(
        spec["tokenRequests"],
        json!([{"audience": "api://AzureADTokenExchange"}, {"audience": "api://AKSIdentityBinding"}])
    );
    assert_eq!(spec["podInfoOnMount"], true);
    assert_eq!(spec["requiresRepublish"], true);
}

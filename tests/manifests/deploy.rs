//! The plain YAML.

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
            && !file.starts_with("manifests/charts/")
    };
    let files: Vec<_> = files_within("manifests").into_iter().filter(ours).collect();
    assert!(files.contains(&"manifests/deploy/provider.yaml".to_owned()), "{files:?}");
    for file in files {
        kubernetes::check_all(&file, &documents(&text(&file)));
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

//! `helm upgrade` of a release of provider-azure's chart, with its operators' values.

use serde_json::{Value, json};

use crate::kubernetes;

use super::{Helm, helm::RELEASE};

/// Returns what `--reuse-values` brings from provider-azure's chart, if the driver is installed separately.
fn reused() -> Value {
    json!({
        "enableArcExtension": false,
        "linux": {"kubeletRootDir": "/var/lib/kubelet", "image": {"repository": "registry.example.com/akv-provider"}},
        "windows": {"enabled": false, "image": {"tag": "v1.8.0"}, "healthzPort": 8989},
        "secrets-store-csi-driver": {"install": false, "linux": {"enabled": true}},
        "rbac": {"install": true, "pspEnabled": false},
        "validatingAdmissionPolicy": {"enabled": true},
        "metricsAddr": "8898",
    })
}

#[test]
fn values_of_provider_azures_chart_without_effect_change_nothing_and_are_noted() {
    let Some(helm) = Helm::find() else { return };
    let ours = json!({"linux": {"image": {"repository": "registry.example.com/akv-provider"}}});
    assert_eq!(helm.upgrade(&reused()), helm.upgrade(&ours));
    let notes = helm.notes(&reused());
    for name in
        ["windows:", "secrets-store-csi-driver:", "validatingAdmissionPolicy:", "linux.kubeletRootDir:"]
    {
        assert!(notes.contains(&format!("- {name}")), "{name} in {notes}");
    }
    assert!(!helm.notes(&ours).contains("mean nothing"));
}

/// A DaemonSet's selector cannot change, and Helm finds objects by their names.
#[test]
fn names_and_selector_are_those_of_provider_azures_chart() {
    let Some(helm) = Helm::find() else { return };
    for (values, name, app) in [
        (json!({}), RELEASE, RELEASE),
        (json!({"nameOverride": "azure"}), RELEASE, "azure"),
        (json!({"nameOverride": "akv"}), "csi-secrets-store-provider-azure-akv", "akv"),
        (json!({"fullnameOverride": "provider"}), "provider", RELEASE),
    ] {
        let objects = helm.upgrade(&values).unwrap();
        let daemonset = kubernetes::one(&objects, "DaemonSet");
        assert_eq!(daemonset["metadata"]["name"], name, "{values}");
        assert_eq!(daemonset["spec"]["selector"], json!({"matchLabels": {"app": app}}), "{values}");
        assert_eq!(kubernetes::one(&objects, "ServiceAccount")["metadata"]["name"], RELEASE, "{values}");
    }
}

#[test]
fn an_upgrade_that_would_remove_a_feature_is_refused() {
    let Some(helm) = Helm::find() else { return };
    for (values, said) in [
        (json!({"windows": {"enabled": true}}), "windows.enabled"),
        (json!({"secrets-store-csi-driver": {"install": true}}), "secrets-store-csi-driver.install"),
        (json!({"enableArcExtension": true}), "enableArcExtension"),
        (
            json!({"linux": {"image": {"repository": "mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure"}}}),
            "linux.image.repository",
        ),
        (json!({"caBundle": {"configMap": "a", "pem": "b"}}), "caBundle"),
    ] {
        let error = helm.upgrade(&values).expect_err(&values.to_string());
        assert!(error.contains(said), "{values}: {error}");
        // Also if no pod of this chart would run.
        let mut off = values.clone();
        off["linux"]["enabled"] = json!(false);
        assert!(helm.upgrade(&off).is_err(), "{off}");
    }
}

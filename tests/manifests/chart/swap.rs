//! `helm upgrade` of a release of provider-azure's chart with its operators' values, and a release beside it.

use serde_json::{Value, json};

use crate::{container, kubernetes};

use super::{Helm, defaults, helm::RELEASE};

/// Returns what operators keep from provider-azure's chart, if the driver is installed separately.
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

/// Returns the values of provider-azure's chart that this chart reads, or that templates could fail on.
fn defaults_of_provider_azure() -> Value {
    let mut values = reused();
    let repository = "mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure";
    values["linux"] = json!({
        "enabled": true, "image": {"repository": repository, "tag": "v1.8.2", "pullPolicy": "IfNotPresent"},
        "healthzPort": 8989, "healthzPath": "/healthz", "healthzTimeout": "5s", "privileged": false,
        "providersDir": "/var/run/secrets-store-csi-providers", "kubeletRootDir": "/var/lib/kubelet",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
    });
    values["secrets-store-csi-driver"] = json!({"install": true, "syncSecret": {"enabled": false}});
    values["nameOverride"] = json!("");
    values["constructPEMChain"] = json!(true);
    values
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

/// Helm then has none of this chart's defaults, and templates would fail with a nil pointer.
#[test]
fn reuse_values_from_provider_azures_chart_ends_in_a_sentence() {
    let Some(helm) = Helm::find() else { return };
    let given =
        json!({"linux": {"image": {"repository": "registry.example.com/akv-provider", "tag": "0.1.0"}}});
    let error = helm.reuse(&defaults_of_provider_azure(), &given).unwrap_err();
    assert!(error.contains("values are missing: providerName, commonLabels"), "{error}");
    assert!(error.contains("upgrade with --reset-then-reuse-values"), "{error}");
}

/// The last chart may also be an earlier version of this one, without a value that is new.
#[test]
fn reuse_values_without_any_one_value_renders_a_valid_pod_or_names_the_value() {
    let Some(helm) = Helm::find() else { return };
    let given = super::helm::required();
    let keys: Vec<String> = defaults().as_object().unwrap().keys().cloned().collect();
    std::thread::scope(|scope| {
        for part in keys.chunks(keys.len().div_ceil(4)) {
            let (helm, given) = (&helm, &given);
            scope.spawn(move || {
                for key in part {
                    let mut last = defaults();
                    last.as_object_mut().unwrap().remove(key);
                    match helm.reuse(&last, given) {
                        Ok(objects) => kubernetes::check_all(key, &objects),
                        Err(error) => assert!(error.contains("values are missing"), "{key}: {error}"),
                    }
                }
            });
        }
    });
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

/// Every optional object, too.
#[test]
fn another_provider_name_changes_the_socket_and_every_name() {
    let Some(helm) = Helm::find() else { return };
    let everything = |name: &str| {
        let on = json!({"enabled": true});
        let values = json!({
            "providerName": name, "podMonitor": on, "prometheusRule": on, "dashboard": on, "networkPolicy": on,
            "admissionPolicy": on,
            "caBundle": {"pem": "x"}, "test": {"secretProviderClass": "demo"},
            "cloudName": "AzureStackCloud",
            "cloudEnvironment": {"activeDirectoryEndpoint": "https://a/", "keyVaultEndpoint": "https://b/", "keyVaultDNSSuffix": "c"},
        });
        helm.render(&values).unwrap()
    };
    let names = |objects: &[Value]| -> Vec<String> {
        objects.iter().map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"])).collect()
    };
    let (azure, other) = (everything("azure"), everything("Akv_2"));
    assert!(azure.len() >= 9, "{:?}", names(&azure));
    for name in names(&other) {
        assert!(!names(&azure).contains(&name), "{name} is in both releases");
        assert!(name.contains("\"akv-provider-akv-2"), "{name}");
    }
    let daemonset = kubernetes::one(&other, "DaemonSet");
    let args = &daemonset["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(args[0], "--endpoint=unix:///var/run/secrets-store-csi-providers/Akv_2.sock");
    let selector = json!({"matchLabels": {"app": "akv-provider-akv-2"}});
    assert_eq!(daemonset["spec"]["selector"], selector);
    assert_eq!(kubernetes::one(&other, "PodMonitor")["spec"]["selector"], selector);
    assert_eq!(kubernetes::one(&other, "NetworkPolicy")["spec"]["podSelector"], selector);
    for object in &other {
        kubernetes::check(object).unwrap();
    }
}

/// The driver's own rule: `pluginNameRe` in pkg/secrets-store/provider_client.go of v1.6.0.
#[test]
fn a_provider_name_that_the_driver_rejects_is_rejected() {
    let Some(helm) = Helm::find() else { return };
    for name in ["", "a.b", "a/b", "a b", &"a".repeat(31)] {
        let error = helm.render(&json!({"providerName": name})).expect_err(name);
        assert!(error.contains("/providerName"), "{name}: {error}");
    }
    for name in ["A", "-", "_a-", &"a".repeat(30)] {
        kubernetes::check_all(name, &helm.render(&json!({"providerName": name})).unwrap());
    }
}

/// The way that changes only the image: provider-azure's chart gives the arguments.
#[test]
fn the_binary_takes_the_arguments_of_provider_azures_chart() {
    let arguments = [
        "--endpoint=unix:///provider/azure.sock",
        "--log-format-json=true",
        "-v=2",
        "--construct-pem-chain=true",
        "--custom-user-agent=fleet",
        "--healthz-port=8989",
        "--healthz-path=/healthz",
        "--healthz-timeout=5s",
        "--write-cert-and-key-in-separate-files=true",
    ];
    let container = json!({"name": "provider-azure-installer", "args": arguments});
    let spec = json!({"selector": {}, "template": {"spec": {"containers": [container]}}});
    let config = container::config(&json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "spec": spec}));
    assert_eq!(config.endpoint.to_string(), "unix:///provider/azure.sock");
}

/// In a mixed cluster provider-azure's release keeps the Windows nodes, and the names of its objects.
#[test]
fn a_release_for_linux_nodes_shares_no_name_with_provider_azures_release() {
    let Some(helm) = Helm::find() else { return };
    let values = json!({"nameOverride": "akv-provider", "serviceAccount": {"name": "akv-provider"}});
    let objects = helm.render(&values).unwrap();
    for object in &objects {
        assert_ne!(object["metadata"]["name"], RELEASE, "{object}");
        assert_ne!(object["metadata"]["name"], format!("{RELEASE}-windows"), "{object}");
    }
    let daemonset = kubernetes::one(&objects, "DaemonSet");
    assert_eq!(daemonset["spec"]["selector"], json!({"matchLabels": {"app": "akv-provider"}}));
    assert_eq!(daemonset["spec"]["template"]["spec"]["serviceAccountName"], "akv-provider");
}

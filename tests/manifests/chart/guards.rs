//! What the chart rejects before anything is changed, with Helm that can ask a cluster, and Helm that cannot.

use akv_provider::cli::{self, Environment};
use serde_json::{Value, json};

use crate::{
    kubernetes,
    repository::{documents, text},
};

use super::{
    Helm,
    cluster::Cluster,
    helm::{RELEASE, required},
};

const IMAGE: &str = "registry.example.com/akv-provider";

fn image() -> Value {
    json!({"linux": {"image": {"repository": IMAGE}}})
}

/// The CSIDriver object of a release.
fn csi_driver(release: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver",
        "metadata": {
            "name": "secrets-store.csi.k8s.io",
            "annotations": {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": "kube-system"},
        },
    })
}

/// A DaemonSet of provider-azure's chart.
fn daemonset(name: &str, host_network: bool) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"template": {"spec": {"hostNetwork": host_network}}},
    })
}

fn host_network(objects: &[Value]) -> Value {
    kubernetes::one(objects, "DaemonSet")["spec"]["template"]["spec"]["hostNetwork"].clone()
}

/// Renders with the required values and these, and returns the error.
fn problem(helm: &Helm, values: &Value) -> String {
    helm.render(values).expect_err(&values.to_string())
}

#[test]
fn without_a_cluster_every_required_value_is_named_in_one_message() {
    let Some(helm) = Helm::find() else { return };
    let error = helm.render_alone(&json!({}), &[]).unwrap_err();
    for value in ["linux.image.repository", "driver.installedBy", "hostNetwork"] {
        assert!(error.contains(&format!("\n- {value} is not set")), "{value}: {error}");
    }
    assert!(helm.render_alone(&required(), &[]).is_ok());
}

#[test]
fn with_a_cluster_only_the_image_is_required() {
    let Some(helm) = Helm::find() else { return };
    let cluster = Cluster::with(&[csi_driver("secrets-store-csi-driver")]);
    assert_eq!(host_network(&helm.render_on(&cluster, &image(), &[]).unwrap()), false);
    let error = helm.render_on(&cluster, &json!({}), &[]).unwrap_err();
    assert!(error.contains("linux.image.repository is not set"), "{error}");
    assert!(!error.contains("driver.installedBy") && !error.contains("hostNetwork"), "{error}");
}

/// The README installs the chart with this file and nothing else.
#[test]
fn the_emulators_values_are_enough_for_a_cluster() {
    let Some(helm) = Helm::find() else { return };
    let cluster = Cluster::with(&[csi_driver("secrets-store-csi-driver")]);
    let values = documents(&text("manifests/emulator/provider.values.yaml")).remove(0);
    let objects = helm.render_on(&cluster, &values, &[]).unwrap();
    let container = &kubernetes::one(&objects, "DaemonSet")["spec"]["template"]["spec"]["containers"][0];
    // The image that `image/build.sh` builds.
    assert_eq!(container["image"], concat!("akv-provider:", env!("CARGO_PKG_VERSION")));
}

#[test]
fn an_upgrade_that_would_remove_the_driver_is_rejected_whatever_the_values_say() {
    let Some(helm) = Helm::find() else { return };
    let cluster = Cluster::with(&[csi_driver(RELEASE), daemonset(RELEASE, true)]);
    for more in [
        json!({}),
        json!({"driver": {"installedBy": "release"}}),
        json!({"secrets-store-csi-driver": {"install": false}}),
    ] {
        let mut values = image();
        values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let error = helm.render_on(&cluster, &values, &["--is-upgrade"]).unwrap_err();
        assert!(
            error.contains("this release has installed the Secrets Store CSI driver"),
            "{values}: {error}"
        );
    }
    // Another release has the driver, or the driver was moved to it.
    let cluster = Cluster::with(&[csi_driver("secrets-store-csi-driver"), daemonset(RELEASE, true)]);
    assert!(helm.render_on(&cluster, &image(), &["--is-upgrade"]).is_ok());
}

#[test]
fn a_text_or_a_value_says_what_installs_the_driver() {
    let Some(helm) = Helm::find() else { return };
    let mut values = required();
    values.as_object_mut().unwrap().remove("driver");
    for (key, value) in [
        ("driver", json!({"installedBy": "addon"})),
        ("secrets-store-csi-driver", json!({"install": false})),
        ("secrets-store-csi-driver", json!({"install": "false"})),
    ] {
        let mut values = values.clone();
        values[key] = value;
        assert!(helm.render_alone(&values, &[]).is_ok(), "{values}");
    }
}

/// In provider-azure's chart such values install the driver with these settings.
#[test]
fn settings_of_the_driver_without_install_are_rejected() {
    let Some(helm) = Helm::find() else { return };
    for driver in
        [json!({"syncSecret": {"enabled": true}}), json!({"install": true}), json!({"install": "true"})]
    {
        let error = problem(&helm, &json!({"secrets-store-csi-driver": driver}));
        assert!(
            error.contains("secrets-store-csi-driver: this chart does not bring the driver"),
            "{driver}: {error}"
        );
    }
}

#[test]
fn images_of_provider_azure_are_rejected_under_every_registry() {
    let Some(helm) = Helm::find() else { return };
    for repository in [
        "mcr.microsoft.com/oss/v2/azure/secrets-store/provider-azure",
        "mcr.microsoft.com/oss/azure/secrets-store/provider-azure",
        "registry.example.com/mirror/oss/v2/azure/secrets-store/provider-azure",
        "registry.example.com:5000/provider-azure",
        "registry.example.com/secrets-store-csi-driver-provider-azure",
    ] {
        let error = problem(&helm, &json!({"linux": {"image": {"repository": repository}}}));
        assert!(error.contains("is an image of provider-azure"), "{repository}: {error}");
    }
    let error = problem(&helm, &json!({"linux": {"image": {"repository": IMAGE, "tag": "v1.8.2"}}}));
    assert!(error.contains("linux.image.tag: v1.8.2 is a version of provider-azure"), "{error}");
    assert!(
        problem(&helm, &json!({"linux": {"image": {"repository": ""}}})).contains("repository is not set")
    );
}

#[test]
fn what_only_provider_azures_chart_has_is_rejected_in_a_sentence() {
    let Some(helm) = Helm::find() else { return };
    for (values, said) in [
        (json!({"windows": {"enabled": true}}), "windows.enabled: this provider runs only on Linux nodes"),
        (json!({"windows": {"enabled": "true"}}), "windows.enabled: this provider runs only on Linux nodes"),
        (json!({"enableArcExtension": true}), "enableArcExtension: the Azure Arc extension"),
        (
            json!({"enableArcExtension": true, "arc": {"enableMonitoring": true}, "Azure": {"Identity": {}},
                   "mdm": {"resources": {}}, "fluentd": {"resources": {}}}),
            "enableArcExtension, arc, Azure, fluentd, mdm: the Azure Arc extension",
        ),
        (json!({"caBundle": {"configMap": "a", "pem": "b"}}), "caBundle: configMap and pem are both set"),
    ] {
        let error = problem(&helm, &values);
        assert!(error.contains(said), "{values}: {error}");
        // Also if no pod of this chart would run.
        let mut off = values.clone();
        off["linux"]["enabled"] = json!(false);
        assert!(helm.upgrade(&off).is_err(), "{off}");
    }
}

#[test]
fn a_swap_keeps_the_network_of_the_daemonset_that_it_replaces() {
    let Some(helm) = Helm::find() else { return };
    let cluster = Cluster::with(&[daemonset(RELEASE, true)]);
    let render = |values: &Value| host_network(&helm.render_on(&cluster, values, &["--is-upgrade"]).unwrap());
    assert_eq!(render(&image()), true);
    let mut told = image();
    told["hostNetwork"] = json!(false);
    assert_eq!(render(&told), false);
    // A release of another name replaces nothing.
    let mut beside = image();
    beside["providerName"] = json!("akv");
    assert_eq!(render(&beside), false);
}

#[test]
fn settings_that_fail_on_the_host_network_are_rejected_there() {
    let Some(helm) = Helm::find() else { return };
    for (values, said) in [
        (
            json!({"linux": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}}),
            "maxSurge",
        ),
        (
            json!({"linux": {"updateStrategy": {"rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0}}}}),
            "maxSurge",
        ),
        (json!({"networkPolicy": {"enabled": true}}), "networkPolicy.enabled"),
        (json!({"providerName": "akv"}), "the ports 8989 and 8898"),
        (json!({"providerName": "akv", "metricsAddr": "9898"}), "the ports 8989 and 8898"),
    ] {
        assert!(helm.render(&values).is_ok(), "{values}");
        let mut host = values.clone();
        host["hostNetwork"] = json!(true);
        let error = problem(&helm, &host);
        assert!(error.contains(said), "{values}: {error}");
    }
    let free = json!({"hostNetwork": true, "providerName": "akv", "metricsAddr": "9898", "linux": {
        "healthzPort": 9989, "updateStrategy": {"rollingUpdate": {"maxSurge": 0}}}});
    assert!(helm.render(&free).is_ok());
}

#[test]
fn a_pod_monitor_without_metrics_is_rejected() {
    let Some(helm) = Helm::find() else { return };
    let error = problem(&helm, &json!({"podMonitor": {"enabled": true}, "metricsAddr": "0"}));
    assert!(error.contains("podMonitor.enabled: metricsAddr turns metrics off"), "{error}");
}

/// The provider ends with exit code 2 on each of these values.
#[test]
fn values_that_the_provider_rejects_are_rejected_in_a_sentence() {
    let Some(helm) = Helm::find() else { return };
    for (name, flag, value) in [
        ("identityProofMaxAge", "identity-proof-max-age", "1441m"),
        ("republishMaxAge", "republish-max-age", "48h"),
        ("objectCacheTtl", "object-cache-ttl", "24h1ms"),
        ("tokenProxyUrl", "token-proxy-url", "https://"),
        ("tokenProxyUrl", "token-proxy-url", "https://user@proxy.example.com"),
        ("tokenProxyUrl", "token-proxy-url", "https://proxy.example.com:65536"),
        ("serviceAccountIssuer", "service-account-issuer", "https://"),
        ("serviceAccountIssuer", "service-account-issuer", "https:///"),
    ] {
        let parsed = cli::parse([format!("--{flag}={value}")], Environment::default());
        assert!(parsed.is_err(), "the provider accepts --{flag}={value}");
        let error = problem(&helm, &json!({name: value}));
        assert!(error.contains(&format!("\n- {name}: ")) && error.contains(value), "{value}: {error}");
    }
    let error = problem(&helm, &json!({"serviceAccountIssuer": ["https://oidc.example.com", "https:///"]}));
    assert!(error.contains("\n- serviceAccountIssuer: https:/// has no valid host"), "{error}");
    for values in [
        json!({"identityProofMaxAge": "24h", "republishMaxAge": "1440m", "objectCacheTtl": "23h59m60s"}),
        json!({"identityProofMaxAge": "0s", "republishMaxAge": "0s", "objectCacheTtl": "86400000ms"}),
        json!({"tokenProxyUrl": "https://[fd00::1]:8443/token?a@b", "serviceAccountIssuer": "https://10.0.0.1:443"}),
    ] {
        kubernetes::check_all(&values.to_string(), &helm.render(&values).unwrap());
    }
}

#[test]
fn endpoints_of_a_cloud_without_a_host_are_rejected() {
    let Some(helm) = Helm::find() else { return };
    let error = problem(
        &helm,
        &json!({"cloudName": "AzureStackCloud", "cloudEnvironment": {
            "activeDirectoryEndpoint": "https://", "keyVaultEndpoint": "https:///", "keyVaultDNSSuffix": "c"}}),
    );
    for name in ["activeDirectoryEndpoint", "keyVaultEndpoint"] {
        assert!(error.contains(&format!("\n- cloudEnvironment.{name}: ")), "{name}: {error}");
    }
}

#[test]
fn a_probe_that_has_no_time_is_rejected() {
    let Some(helm) = Helm::find() else { return };
    for timeout in ["0s", "0.0h"] {
        for port in [8989, 0] {
            let error = problem(&helm, &json!({"linux": {"healthzTimeout": timeout, "healthzPort": port}}));
            assert!(error.contains("\n- linux.healthzTimeout: the provider rejects"), "{timeout}: {error}");
        }
    }
    assert!(helm.render(&json!({"linux": {"healthzTimeout": "500µs"}})).is_ok());
}

/// Kubernetes takes one of the two values, and 1 for a `maxUnavailable` that is not given.
#[test]
fn an_update_is_one_that_kubernetes_accepts_or_is_rejected() {
    let Some(helm) = Helm::find() else { return };
    let render =
        |rolling: &Value| helm.render(&json!({"linux": {"updateStrategy": {"rollingUpdate": rolling}}}));
    for (rolling, said) in [
        (json!({"maxSurge": 1}), "rejects maxSurge (1) together with maxUnavailable (1, by default 1)"),
        (json!({"maxSurge": "10%"}), "rejects maxSurge (10%) together with maxUnavailable (1, by default 1)"),
        (json!({"maxSurge": 1, "maxUnavailable": "10%"}), "together with maxUnavailable (10%, by default 1)"),
        (json!({"maxSurge": 1, "maxUnavailable": null}), "Set maxUnavailable to 0 for a surge"),
        (json!({"maxUnavailable": 0}), "rejects 0 for both maxSurge and maxUnavailable"),
        (json!({"maxSurge": "0%", "maxUnavailable": "0"}), "Set maxUnavailable to 1, or maxSurge to 1"),
        (json!({"maxUnavailable": "101%"}), "at '/linux/updateStrategy/rollingUpdate/maxUnavailable'"),
        (json!({"maxSurge": -1}), "at '/linux/updateStrategy/rollingUpdate/maxSurge'"),
    ] {
        let error = render(&rolling).expect_err(&rolling.to_string());
        assert!(error.contains(said), "{rolling}: {error}");
    }
    for (rolling, rendered) in [
        (json!({"maxSurge": 1, "maxUnavailable": 0}), json!({"maxSurge": 1, "maxUnavailable": 0})),
        (json!({"maxSurge": "1", "maxUnavailable": "0"}), json!({"maxSurge": 1, "maxUnavailable": 0})),
        (
            json!({"maxSurge": "25%", "maxUnavailable": "0%"}),
            json!({"maxSurge": "25%", "maxUnavailable": "0%"}),
        ),
        (json!({"maxSurge": "0%"}), json!({"maxSurge": "0%", "maxUnavailable": 1})),
        (json!({"maxUnavailable": "100%"}), json!({"maxUnavailable": "100%"})),
    ] {
        let objects = render(&rolling).unwrap();
        let update = &kubernetes::one(&objects, "DaemonSet")["spec"]["updateStrategy"];
        assert_eq!(*update, json!({"type": "RollingUpdate", "rollingUpdate": rendered}), "{rolling}");
    }
    let deleted =
        json!({"linux": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"maxUnavailable": 0}}}});
    assert!(helm.render(&deleted).is_ok(), "Kubernetes ignores the values");
}

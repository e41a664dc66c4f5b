//! The Helm chart, rendered with the real Helm if there is one (`HELM` or `PATH`).

mod cluster;
mod guards;
mod helm;
mod monitoring;
mod pod;
mod readme;
mod schema;
mod swap;
mod values;

use std::collections::BTreeSet;

use akv_provider::content::{chain::ChainOrder, secret::PemFiles};
use serde_json::{Value, json};

use crate::{
    container, kubernetes,
    repository::{documents, text},
};

use self::{
    helm::Helm,
    values::{beside, changed, leaves},
};

const CHART: &str = "manifests/charts/csi-secrets-store-provider-azure";

fn defaults() -> Value {
    documents(&text(&format!("{CHART}/values.yaml"))).remove(0)
}

/// Returns values far from the defaults, all at once.
fn extreme() -> Value {
    json!({
        "nameOverride": "n".repeat(63),
        "imagePullSecrets": [{"name": "registry"}],
        "logFormatJSON": true,
        "logVerbosity": 10,
        "cloudName": "AzureStackCloud",
        "cloudEnvironment": {
            "activeDirectoryEndpoint": "https://login.stamp.example.com/",
            "keyVaultEndpoint": "https://vault.stamp.example.com/",
            "keyVaultDNSSuffix": "vault.stamp.example.com",
        },
        "constructPEMChain": false,
        "writeCertAndKeyInSeparateFiles": true,
        "tokenProxyUrl": "https://proxy.example.com:8443/token",
        "sniName": "proxy.example.com",
        "serviceAccountIssuer": ["https://oidc.example.com/tenant/cluster/", "https://other.example.com"],
        "identityProofMaxAge": "1m30s",
        "republishMaxAge": "1h30m",
        "republishCheck": "list",
        "objectCacheTtl": "300ms",
        "mountTimeout": "1m50s",
        "maxCallRecvMsgSize": 2147483647,
        "largeVolumeMemory": 100,
        "metricsAddr": ":1",
        "metricsObjectName": true,
        "enablePprof": true,
        "pprofPort": 65535,
        "hostNetwork": true,
        "commonLabels": {"team": "7", "app": "taken"},
        "podMonitor": {"enabled": true, "labels": {"prometheus": "main"}, "interval": "1m30s"},
        "prometheusRule": {"enabled": true, "labels": {"prometheus": "main"}},
        "dashboard": {"enabled": true},
        "admissionPolicy": {"enabled": true},
        "test": {"secretProviderClass": "demo", "serviceAccountName": "demo"},
        "proxy": {"url": "http://user:p%22w@proxy.example.com:3128", "noProxy": "10.0.0.0/8,.example.com"},
        "caBundle": {"pem": "-----BEGIN CERTIFICATE-----\n\"': #{{ }}\n-----END CERTIFICATE-----\n"},
        "extraEnv": [{"name": "RUST_BACKTRACE", "value": "1"}],
        "extraArgs": ["-v=5", "--custom-user-agent=last: \"one\" wins"],
        "serviceAccount": {"name": "provider", "annotations": {"a": "1"}},
        "linux": {
            "nodeSelector": {"pool": "2"},
            "tolerations": [],
            "podLabels": {"team": "true"},
            "podAnnotations": {"b": "no"},
            "priorityClassName": "",
            "updateStrategy": {"rollingUpdate": {"maxUnavailable": "10%"}},
            "image": {"tag": "0.1.0", "digest": format!("sha256:{}", "0".repeat(64))},
            "dnsConfig": {"nameservers": ["10.0.0.10"], "options": [{"name": "ndots", "value": "1"}]},
            "terminationGracePeriodSeconds": 3600,
            "customUserAgent": "fleet #7: \"blue\" \\ 'green'",
            "healthzPort": 65535,
            "healthzPath": "/a%20b",
            "healthzTimeout": "1m0.5s",
            "metricsAddr": 65534,
            "volumes": [{"name": "extra", "emptyDir": {}}],
            "volumeMounts": [{"name": "extra", "mountPath": "/extra"}],
            "privileged": true,
        },
    })
}

/// Returns what the chart renders with values far apart, or nothing without Helm.
pub(crate) fn samples() -> Vec<(&'static str, Vec<Value>)> {
    let Some(helm) = Helm::find() else { return Vec::new() };
    let off = json!({"linux": {"healthzPort": 0, "metricsAddr": "0", "resources": null, "affinity": null},
        "networkPolicy": {"enabled": true}});
    let beside = json!({"providerName": "Akv_2", "networkPolicy": {"enabled": true}});
    [("default values", json!({})), ("extreme values", extreme()), ("all off", off), ("beside", beside)]
        .map(|(name, values)| (name, helm.render(&values).unwrap_or_else(|error| panic!("{name}: {error}"))))
        .into()
}

#[test]
fn default_and_extreme_values_render_what_kubernetes_and_the_provider_accept() {
    for (name, objects) in samples() {
        kubernetes::check_all(name, &objects);
    }
}

#[test]
fn every_flag_is_a_value() {
    let Some(helm) = Helm::find() else { return };
    let mut values = extreme();
    values["extraArgs"] = json!([]);
    let flags = container::flags(kubernetes::one(&helm.render(&values).unwrap(), "DaemonSet"));
    assert_eq!(flags, container::settable_flags());
}

#[test]
fn every_value_changes_what_is_rendered() {
    let Some(helm) = Helm::find() else { return };
    let mut leaves = leaves(&defaults());
    // It decides whether the chart renders: guards.rs.
    leaves.retain(|(path, _)| path != "driver.installedBy");
    assert!(leaves.len() > 50, "{} values", leaves.len());
    let default = helm.render(&json!({})).unwrap();
    std::thread::scope(|scope| {
        for part in leaves.chunks(leaves.len().div_ceil(4)) {
            scope.spawn(|| part.iter().for_each(|(path, value)| changes(&helm, &default, path, value)));
        }
    });
}

fn changes(helm: &Helm, default: &[Value], path: &str, value: &Value) {
    let render =
        |values: &Value| helm.render(values).unwrap_or_else(|error| panic!("{path} with {values}: {error}"));
    let without = beside(path).map(|values| render(&values));
    let with = render(&changed(path, value));
    assert_ne!(with, without.as_deref().unwrap_or(default), "{path} changes nothing");
    // These values exist to relax what the chart restricts by default.
    if !path.starts_with("linux.securityContext") {
        kubernetes::check_all(path, &with);
    }
}

/// provider-azure's chart omits an argument whose value is false, so that the flag's default, true, applies.
#[test]
fn a_value_of_false_is_passed_to_the_provider() {
    let Some(helm) = Helm::find() else { return };
    let config = |values: Value| {
        let objects = helm.render(&values).unwrap();
        container::config(kubernetes::one(&objects, "DaemonSet"))
    };
    let default = config(json!({})).mounts.certificates;
    assert_eq!((default.order, default.files), (ChainOrder::Construct, PemFiles::Together));
    let changed = config(json!({"constructPEMChain": false, "writeCertAndKeyInSeparateFiles": true}))
        .mounts
        .certificates;
    assert_eq!((changed.order, changed.files), (ChainOrder::AsStored, PemFiles::Separate));
}

/// The chart and the plain YAML must give the same pod.
#[test]
fn the_default_pod_is_that_of_the_plain_yaml() {
    let Some(helm) = Helm::find() else { return };
    let rendered = helm.render(&json!({})).unwrap();
    let plain = documents(&text("manifests/deploy/provider.yaml"));
    let pod = |objects: &[Value]| {
        let mut pod = kubernetes::one(objects, "DaemonSet")["spec"]["template"]["spec"].clone();
        let container = &mut pod["containers"][0];
        // The chart sets every flag, and the plain YAML those that operators look for. Both have the same meaning.
        container["args"].take();
        // The chart sets this so that it can be changed.
        container["securityContext"].as_object_mut().unwrap().remove("runAsNonRoot");
        pod
    };
    assert_eq!(pod(&rendered), pod(&plain));
    let config = |objects| format!("{:?}", container::config(kubernetes::one(objects, "DaemonSet")));
    assert_eq!(config(&rendered), config(&plain));
}

#[test]
fn the_chart_is_of_this_version() {
    let chart = documents(&text(&format!("{CHART}/Chart.yaml"))).remove(0);
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert!(CHART.ends_with(&format!("/{}", chart["name"].as_str().unwrap())));
}

#[test]
fn each_value_is_listed_once() {
    let paths: Vec<_> = leaves(&defaults()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
    assert!(paths.contains(&"linux.securityContext.capabilities.drop".to_owned()), "{paths:?}");
}

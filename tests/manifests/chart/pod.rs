//! What single values make of the pod.

use serde_json::{Value, json};

use crate::{container, kubernetes};

use super::{CHART, Helm, helm::required};

fn pod(objects: &[Value]) -> Value {
    kubernetes::one(objects, "DaemonSet")["spec"]["template"]["spec"].clone()
}

#[test]
fn the_metrics_port_is_read_in_every_form() {
    let Some(helm) = Helm::find() else { return };
    for (values, port) in [
        (json!({}), "8898"),
        (json!({"metricsAddr": "9000"}), "9000"),
        (json!({"metricsAddr": ":9000"}), "9000"),
        (json!({"metricsAddr": 9000}), "9000"),
        (json!({"metricsAddr": "9000", "linux": {"metricsAddr": ":9001"}}), "9001"),
        (json!({"metricsAddr": 0}), "0"),
    ] {
        let args = pod(&helm.render(&values).unwrap())["containers"][0]["args"].take();
        let argument = json!(format!("--prometheus-port={port}"));
        assert!(args.as_array().unwrap().contains(&argument), "{values}: {args}");
    }
}

#[test]
fn the_grace_period_follows_the_mount_timeout_unless_it_is_given() {
    let Some(helm) = Helm::find() else { return };
    for (values, seconds) in [
        (json!({}), 100),
        (json!({"mountTimeout": "30s"}), 40),
        (json!({"mountTimeout": "1m"}), 70),
        (json!({"mountTimeout": "1m50s"}), 120),
        (json!({"linux": {"terminationGracePeriodSeconds": 7}}), 7),
        (json!({"linux": {"terminationGracePeriodSeconds": "0"}}), 0),
    ] {
        let pod = pod(&helm.render(&values).unwrap());
        assert_eq!(pod["terminationGracePeriodSeconds"], seconds, "{values}");
    }
}

#[test]
fn the_image_is_named_by_tag_by_digest_or_by_both() {
    let Some(helm) = Helm::find() else { return };
    let digest = format!("sha256:{}", "a".repeat(64));
    let version = env!("CARGO_PKG_VERSION");
    for (image, named) in [
        (json!({}), format!("r/akv:{version}")),
        (json!({"tag": "0.2.0"}), "r/akv:0.2.0".to_owned()),
        (json!({"digest": digest}), format!("r/akv@{digest}")),
        (json!({"tag": "0.2.0", "digest": digest}), format!("r/akv:0.2.0@{digest}")),
    ] {
        let mut image = image;
        image["repository"] = json!("r/akv");
        let values = json!({"linux": {"image": image}, "test": {"secretProviderClass": "demo"}});
        let objects = helm.render(&values).unwrap();
        assert_eq!(pod(&objects)["containers"][0]["image"], named);
        assert_eq!(kubernetes::one(&objects, "Pod")["spec"]["containers"][0]["image"], named);
    }
    let error = helm.render(&json!({"linux": {"image": {"digest": "latest"}}})).unwrap_err();
    assert!(error.contains("/linux/image/digest"), "{error}");
}

/// provider-azure's chart takes texts, as `helm --set-string` and some GitOps tools give them.
#[test]
fn numbers_and_booleans_may_be_texts() {
    let Some(helm) = Helm::find() else { return };
    let given = [
        ("logFormatJSON", json!(true)),
        ("logVerbosity", json!(5)),
        ("constructPEMChain", json!(false)),
        ("writeCertAndKeyInSeparateFiles", json!(true)),
        ("maxCallRecvMsgSize", json!(5_000_000)),
        ("metricsAddr", json!(9000)),
        ("metricsObjectName", json!(false)),
        ("enablePprof", json!(true)),
        ("pprofPort", json!(6061)),
        ("hostNetwork", json!(true)),
        ("rbac.install", json!(false)),
        ("podMonitor.enabled", json!(false)),
        ("linux.healthzPort", json!(0)),
        ("linux.privileged", json!(false)),
        ("linux.terminationGracePeriodSeconds", json!(20)),
    ];
    let render = |flag: &str| {
        let pairs: Vec<String> = given.iter().map(|(path, value)| format!("{path}={value}")).collect();
        helm.render_alone(&required(), &[flag, &pairs.join(",")]).unwrap()
    };
    let (typed, texts) = (render("--set"), render("--set-string"));
    assert_eq!(typed, texts);
    assert!(typed.iter().all(|object| object["kind"] != "ServiceAccount"));
    let off = ["--set-string", "linux.enabled=false"];
    let objects = helm.render_alone(&required(), &off).unwrap();
    assert!(objects.iter().all(|object| object["kind"] != "DaemonSet"), "{objects:?}");
    for text in ["linux.healthzPort=65536", "linux.healthzPort=x", "logVerbosity=-1", "linux.enabled=yes"] {
        assert!(helm.render_alone(&required(), &["--set-string", text]).is_err(), "{text}");
    }
}

#[test]
fn common_labels_are_on_every_object_and_pod_and_replace_none_of_ours() {
    let Some(helm) = Helm::find() else { return };
    let values = json!({"commonLabels": {"team": "platform", "app": "taken"}, "dashboard": {"enabled": true},
        "podMonitor": {"enabled": true}, "prometheusRule": {"enabled": true}, "networkPolicy": {"enabled": true},
        "admissionPolicy": {"enabled": true}, "test": {"secretProviderClass": "demo"}});
    let objects = helm.render(&values).unwrap();
    let daemonset = kubernetes::one(&objects, "DaemonSet");
    for object in objects.iter().chain([&daemonset["spec"]["template"]]) {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["team"], "platform", "{object}");
        // The DaemonSet would adopt a pod of the test with its label.
        let app = (object["kind"] != "Pod").then_some("csi-secrets-store-provider-azure");
        assert_eq!(labels["app"], json!(app), "{object}");
    }
}

/// Helm checks the version before anything else.
#[test]
fn kubernetes_is_as_new_as_the_driver_demands() {
    let Some(helm) = Helm::find() else { return };
    for (version, accepted) in [("1.29.9", false), ("1.30.0", true), ("1.36.0", true)] {
        let rendered = helm.render_alone(&required(), &["--kube-version", version]);
        assert_eq!(rendered.is_ok(), accepted, "{version}: {rendered:?}");
    }
    assert!(crate::repository::text(&format!("{CHART}/Chart.yaml")).contains(">=1.30.0-0"));
}

/// The order of templates is Helm's, so each one is guarded.
#[test]
fn every_template_begins_with_the_guards() {
    for file in crate::repository::files_within(&format!("{CHART}/templates")) {
        if !file.ends_with(".tpl") {
            let text = crate::repository::text(&file);
            assert!(text.starts_with("{{- include \"akv.guards\" . -}}\n"), "{file}");
        }
    }
}

/// The test's pod has no shell and needs none: it starts if its volume was mounted.
#[test]
fn the_helm_test_mounts_the_given_class_and_is_no_pod_of_the_daemonset() {
    let Some(helm) = Helm::find() else { return };
    let objects = helm.render(&json!({})).unwrap();
    assert!(objects.iter().all(|object| object["kind"] != "Pod"));
    let values = json!({"test": {"secretProviderClass": "demo", "serviceAccountName": "app"}});
    let objects = helm.render(&values).unwrap();
    let pod = kubernetes::one(&objects, "Pod");
    assert_eq!(pod["metadata"]["annotations"]["helm.sh/hook"], "test");
    assert_eq!(pod["metadata"]["labels"]["app"], Value::Null);
    assert_eq!(pod["spec"]["serviceAccountName"], "app");
    assert_eq!(pod["spec"]["containers"][0]["args"], json!(["--version"]));
    let csi = &pod["spec"]["volumes"][0]["csi"];
    assert_eq!(csi["driver"], "secrets-store.csi.k8s.io");
    assert_eq!(csi["volumeAttributes"], json!({"secretProviderClass": "demo"}));
}

#[test]
fn the_network_policy_lets_the_provider_reach_what_it_needs_and_prometheus_the_metrics() {
    let Some(helm) = Helm::find() else { return };
    let from = json!([{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]);
    let proxy = json!([{"ports": [{"port": 3128}]}]);
    let values = json!({"networkPolicy": {"enabled": true, "metricsFrom": from, "egress": proxy}, "metricsAddr": 9000});
    let objects = helm.render(&values).unwrap();
    let spec = &kubernetes::one(&objects, "NetworkPolicy")["spec"];
    assert_eq!(spec["ingress"], json!([{"ports": [{"port": 9000, "protocol": "TCP"}], "from": from}]));
    let ports: Vec<i64> = spec["egress"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|rule| rule["ports"].as_array().unwrap())
        .map(|port| port["port"].as_i64().unwrap())
        .collect();
    assert_eq!(ports, [53, 53, 443, 6443, 80, 3128]);
}

#[test]
fn a_changed_provider_directory_is_where_the_socket_is() {
    let Some(helm) = Helm::find() else { return };
    let objects = helm.render(&json!({"linux": {"providersDir": "/etc/kubernetes/providers"}})).unwrap();
    let pod = pod(&objects);
    assert_eq!(pod["volumes"][0]["hostPath"]["path"], "/etc/kubernetes/providers");
    let config = container::config(kubernetes::one(&objects, "DaemonSet"));
    assert_eq!(config.endpoint.to_string(), "unix:///var/run/secrets-store-csi-providers/azure.sock");
}

//! The fields of the Prometheus operator's objects that this project uses.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::LabelSelector};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::kubernetes;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "read for its field names")]
struct PodMonitor {
    selector: LabelSelector,
    pod_metrics_endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "read for its field names")]
struct Endpoint {
    port: String,
    path: String,
    interval: Option<String>,
    relabelings: Vec<Relabeling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "read for its field names")]
struct Relabeling {
    source_labels: Vec<String>,
    target_label: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read for its field names")]
struct PrometheusRule {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read for its field names")]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read for its field names")]
struct Rule {
    alert: String,
    expr: String,
    r#for: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Parses an object of the Prometheus operator; the error names what is wrong.
pub(crate) fn check(kind: &str, object: &Value) -> Result<(), String> {
    // Metadata is checked as that of an object with types of its own.
    let metadata = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": object["metadata"]});
    kubernetes::read::<ConfigMap>(&metadata)?;
    let spec = object["spec"].clone();
    let read = match kind {
        "PodMonitor" => serde_json::from_value::<PodMonitor>(spec).map(drop),
        "PrometheusRule" => serde_json::from_value::<PrometheusRule>(spec).map(drop),
        kind => return Err(format!("no {kind} is expected here")),
    };
    read.map_err(|error| error.to_string())
}

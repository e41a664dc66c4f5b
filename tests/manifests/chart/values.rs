//! Every value of values.yaml, and another one in its place.

use serde_json::{Value, json};

/// Returns each value that is not a map of further values, with its path.
pub(super) fn leaves(values: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    walk(values, String::new(), &mut found);
    found
}

fn walk(value: &Value, path: String, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(value, path, found);
            }
        }
        _ => found.push((path, value.clone())),
    }
}

/// Returns values with another one at `path`.
pub(super) fn changed(path: &str, value: &Value) -> Value {
    let mut values = beside(path).unwrap_or_else(|| json!({}));
    put(&mut values, path, other(path, value));
    values
}

/// Returns other values, without which the value at `path` has no effect.
pub(super) fn beside(path: &str) -> Option<Value> {
    match path {
        "caBundle.key" => Some(json!({"caBundle": {"configMap": "roots"}})),
        "podMonitor.labels" | "podMonitor.interval" => Some(json!({"podMonitor": {"enabled": true}})),
        "prometheusRule.labels" => Some(json!({"prometheusRule": {"enabled": true}})),
        "dashboard.labels.grafana_dashboard" => Some(json!({"dashboard": {"enabled": true}})),
        "networkPolicy.metricsFrom" | "networkPolicy.egress" => {
            Some(json!({"networkPolicy": {"enabled": true}}))
        }
        "test.serviceAccountName" => Some(json!({"test": {"secretProviderClass": "demo"}})),
        "linux.volumes" => {
            Some(json!({"linux": {"volumeMounts": [{"name": "extra", "mountPath": "/extra"}]}}))
        }
        _ => None,
    }
}

fn put(values: &mut Value, path: &str, value: Value) {
    let at = path.split('.').fold(values, |values, key| {
        if values.is_null() {
            *values = json!({});
        }
        &mut values[key]
    });
    *at = value;
}

fn other(path: &str, value: &Value) -> Value {
    match path {
        "hostNetwork" => json!(true),
        "linux.image.digest" => json!(format!("sha256:{}", "0".repeat(64))),
        "linux.terminationGracePeriodSeconds" => json!(7),
        "linux.dnsConfig" => json!({"searches": ["example.com"]}),
        "podMonitor.interval" => json!("1m"),
        "networkPolicy.metricsFrom" => json!([{"podSelector": {"matchLabels": {"app": "prometheus"}}}]),
        "networkPolicy.egress" => json!([{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]),
        "imagePullSecrets" => json!([{"name": "registry"}]),
        "cloudName" => json!("AzureChinaCloud"),
        "cloudEnvironment" => json!({
            "activeDirectoryEndpoint": "https://login.example.com/",
            "keyVaultEndpoint": "https://vault.example.com/",
            "keyVaultDNSSuffix": "vault.example.com",
        }),
        "tokenProxyUrl" => json!("https://proxy.example.com/"),
        "sniName" => json!("proxy.example.com"),
        "serviceAccountIssuer" => json!("https://oidc.example.com/tenant/cluster/"),
        "metricsAddr" | "linux.metricsAddr" => json!(":9000"),
        "metricsBackend" => json!("prometheus"),
        "proxy.url" => json!("http://proxy.example.com:3128"),
        "proxy.noProxy" => json!(".example.com"),
        "extraEnv" => json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]),
        "extraArgs" => json!(["--add_dir_header"]),
        "linux.image.pullPolicy" => json!("Always"),
        "linux.tolerations" | "linux.resources.claims" => json!([]),
        "linux.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms" => {
            json!([{"matchExpressions": [{"key": "pool", "operator": "Exists"}]}])
        }
        "linux.resources.requests.cpu" => json!("1"),
        "linux.resources.requests.memory" | "linux.resources.limits.memory" => json!("1Gi"),
        "linux.updateStrategy.type" => json!("OnDelete"),
        "linux.dnsPolicy" => json!("Default"),
        "linux.healthzPath" => json!("/live"),
        "linux.healthzTimeout"
        | "identityProofMaxAge"
        | "republishMaxAge"
        | "objectCacheTtl"
        | "mountTimeout" => json!("9s"),
        "republishCheck" => json!("list"),
        "linux.providersDir" => json!("/etc/kubernetes/secrets-store-csi-providers"),
        "linux.volumes" => json!([{"name": "extra", "emptyDir": {}}]),
        "linux.volumeMounts" => json!([{"name": "providers", "mountPath": "/elsewhere"}]),
        "linux.securityContext.capabilities.drop" => json!(["NET_RAW"]),
        "linux.securityContext.seccompProfile.type" => json!("Unconfined"),
        _ => match value {
            Value::Bool(on) => json!(!on),
            Value::Number(number) => json!(number.as_u64().unwrap() + 1),
            Value::String(_) => json!("other"),
            Value::Object(map) if map.is_empty() => json!({"example.com/other": "true"}),
            _ => panic!("say what else {path} can be"),
        },
    }
}

//! values.schema.json: it has every value, and no other.

use akv_provider::cli::{self, Environment};
use serde_json::{Value, json};

use crate::repository::text;

use super::{CHART, Helm, defaults};

/// Values of provider-azure's chart whose content has no effect here.
const QUIET: [&str; 3] = ["windows", "secrets-store-csi-driver", "validatingAdmissionPolicy"];

fn schema() -> Value {
    serde_json::from_str(&text(&format!("{CHART}/values.schema.json"))).unwrap()
}

#[test]
fn the_schema_knows_every_value() {
    fn walk(values: &Value, schema: &Value, at: &str) {
        let (Some(values), Some(known)) = (values.as_object(), schema["properties"].as_object()) else {
            return;
        };
        for (key, value) in values {
            let schema = known.get(key).unwrap_or_else(|| panic!("{at}.{key} is not in the schema"));
            walk(value, schema, &format!("{at}.{key}"));
        }
    }
    walk(&defaults(), &schema(), "");
}

#[test]
fn values_of_provider_azures_chart_without_effect_are_not_in_this_chart() {
    for name in QUIET {
        assert!(defaults().get(name).is_none(), "{name}");
        assert!(schema()["properties"].get(name).is_some(), "{name}");
    }
}

#[test]
fn an_unknown_value_is_refused_wherever_it_stands() {
    fn closed(schema: &Value, at: Vec<String>, found: &mut Vec<Vec<String>>) {
        let Some(known) = schema["properties"].as_object() else { return };
        for (key, schema) in known {
            closed(schema, [at.clone(), vec![key.clone()]].concat(), found);
        }
        if schema["additionalProperties"] == false {
            found.push(at);
        }
    }
    let mut found = Vec::new();
    closed(&schema(), Vec::new(), &mut found);
    assert!(
        found.contains(&vec![]) && found.contains(&vec!["linux".to_owned(), "image".to_owned()]),
        "{found:?}"
    );
    let Some(helm) = Helm::find() else { return };
    let mut values = json!({});
    for path in &found {
        path.iter().fold(&mut values, |values, key| &mut values[key])["unheardOf"] = json!(1);
    }
    let error = helm.render(&values).unwrap_err();
    for path in &found {
        let at: String = path.iter().map(|key| format!("/{key}")).collect();
        let complaint = format!("at '{at}': additional properties 'unheardOf' not allowed");
        assert!(error.contains(&complaint), "{complaint} is not in {error}");
    }
}

#[test]
fn a_value_that_the_provider_would_refuse_is_refused_by_the_chart() {
    let Some(helm) = Helm::find() else { return };
    let error = helm.render(&json!({
        "logVerbosity": "high",
        "constructPEMChain": "no",
        "cloudName": "MoonCloud",
        "cloudEnvironment": {"keyVaultDNSSuffix": "x"},
        "tokenProxyUrl": "http://proxy.example.com",
        "sniName": "a b",
        "serviceAccountIssuer": "http://oidc.example.com",
        "identityProofMaxAge": "10",
        "republishMaxAge": "60",
        "republishCheck": "lists",
        "objectCacheTtl": "-5s",
        "mountTimeout": "2m",
        "maxCallRecvMsgSize": "4Mi",
        "largeVolumeMemory": "32Mi",
        "metricsAddr": "0.0.0.0:8898",
        "metricsBackend": "OpenTelemetry",
        "extraArgs": ["v=5"],
        "linux": {
            "healthzPort": 65536,
            "healthzPath": "healthz",
            "healthzTimeout": "5",
            "customUserAgent": "a\nb",
        },
    }));
    let error = error.unwrap_err();
    for field in [
        "/logVerbosity",
        "/constructPEMChain",
        "/cloudName",
        "/cloudEnvironment",
        "/tokenProxyUrl",
        "/sniName",
        "/serviceAccountIssuer",
        "/identityProofMaxAge",
        "/republishMaxAge",
        "/republishCheck",
        "/objectCacheTtl",
        "/mountTimeout",
        "/maxCallRecvMsgSize",
        "/largeVolumeMemory",
        "/metricsAddr",
        "/metricsBackend",
        "/extraArgs/0",
        "/linux/healthzPort",
        "/linux/healthzPath",
        "/linux/healthzTimeout",
        "/linux/customUserAgent",
    ] {
        assert!(error.contains(&format!("at '{field}'")), "{field} is not in {error}");
    }
}

#[test]
fn a_path_or_verbosity_that_the_provider_would_refuse_is_refused_by_the_chart() {
    let Some(helm) = Helm::find() else { return };
    for (flag, value, values, field) in [
        ("healthz-path", "/a?b", json!({"linux": {"healthzPath": "/a?b"}}), "/linux/healthzPath"),
        ("healthz-path", "/{a}", json!({"linux": {"healthzPath": "/{a}"}}), "/linux/healthzPath"),
        ("healthz-path", "/a:b", json!({"linux": {"healthzPath": "/a:b"}}), "/linux/healthzPath"),
        ("v", "2147483648", json!({"logVerbosity": 2_147_483_648_u64}), "/logVerbosity"),
        (
            "service-account-issuer",
            "https://oidc.example.com/é",
            json!({"serviceAccountIssuer": "https://oidc.example.com/é"}),
            "/serviceAccountIssuer",
        ),
    ] {
        let parsed = cli::parse([format!("--{flag}={value}")], Environment::default());
        assert!(parsed.is_err(), "the provider accepts --{flag}={value}");
        let error = helm.render(&values).expect_err(value);
        assert!(error.contains(&format!("at '{field}'")), "{value}: {error}");
    }
    assert!(helm.render(&json!({"linux": {"healthzPath": "/a-b_c.d~e!$&'()+,;=@%20"}})).is_ok());
}

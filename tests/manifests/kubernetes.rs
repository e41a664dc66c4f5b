//! Parses objects as the API server does: the kind must be known, and every field must exist in it.

use k8s_openapi::{
    api::{
        admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
        apps::v1::{DaemonSet, Deployment},
        core::v1::{ConfigMap, Namespace, Pod, Secret, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        rbac::v1::{ClusterRole, ClusterRoleBinding},
        storage::v1::CSIDriver,
    },
    serde::{Serialize, de::DeserializeOwned},
};
use serde_json::Value;

use crate::{container, monitoring, secret_provider_class};

/// Parses an object as its kind; the error names what is wrong.
pub(crate) fn check(object: &Value) -> Result<(), String> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    match (text("apiVersion"), text("kind")) {
        ("apps/v1", "DaemonSet") => {
            let daemonset: DaemonSet = read(object)?;
            container::check(&daemonset)
        }
        ("apps/v1", "Deployment") => read::<Deployment>(object).map(drop),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy") => {
            read::<ValidatingAdmissionPolicy>(object).map(drop)
        }
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding") => {
            read::<ValidatingAdmissionPolicyBinding>(object).map(drop)
        }
        ("v1", "ConfigMap") => read::<ConfigMap>(object).map(drop),
        ("v1", "Namespace") => read::<Namespace>(object).map(drop),
        ("v1", "Pod") => read::<Pod>(object).map(drop),
        ("v1", "Secret") => read::<Secret>(object).map(drop),
        ("v1", "Service") => read::<Service>(object).map(drop),
        ("v1", "ServiceAccount") => read::<ServiceAccount>(object).map(drop),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => read::<ClusterRole>(object).map(drop),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            read::<ClusterRoleBinding>(object).map(drop)
        }
        ("storage.k8s.io/v1", "CSIDriver") => read::<CSIDriver>(object).map(drop),
        ("networking.k8s.io/v1", "NetworkPolicy") => read::<NetworkPolicy>(object).map(drop),
        ("monitoring.coreos.com/v1", kind) => monitoring::check(kind, object),
        ("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass") => {
            secret_provider_class::read(object).map(drop)
        }
        (version, kind) => Err(format!("no object of {version} {kind} is expected here")),
    }
}

/// Parses every object of a rendered text, which must have at least one.
pub(crate) fn check_all(name: &str, objects: &[Value]) {
    assert!(!objects.is_empty(), "{name} holds no object");
    for object in objects {
        check(object).unwrap_or_else(|error| panic!("{name}: {error}\n{object:#}"));
    }
}

/// Returns the one object of a kind.
pub(crate) fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<&Value> = objects.iter().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "there is to be one {kind}");
    found[0]
}

/// Parses a value as a type of the API. The types ignore unknown fields. A field that is missing after serialization is
/// therefore one that the API does not have.
pub(crate) fn read<T: DeserializeOwned + Serialize>(object: &Value) -> Result<T, String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    let back = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    match lost(object, &back, "") {
        None => Ok(typed),
        Some(field) => Err(format!("the API has no field {field}")),
    }
}

fn lost(given: &Value, back: &Value, at: &str) -> Option<String> {
    match (given, back) {
        (Value::Object(given), Value::Object(back)) => given.iter().find_map(|(key, value)| {
            let at = format!("{at}.{key}");
            match back.get(key) {
                Some(back) => lost(value, back, &at),
                None => Some(at),
            }
        }),
        (Value::Array(given), Value::Array(back)) => given
            .iter()
            .zip(back)
            .enumerate()
            .find_map(|(i, (given, back))| lost(given, back, &format!("{at}[{i}]"))),
        (given, back) => (given != back).then(|| at.to_owned()),
    }
}

#[test]
fn a_misspelt_field_is_found_at_any_depth() {
    let given = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"},
        "spec": {"containers": [{"name": "app", "volumeMount": []}]},
    });
    assert_eq!(check(&given), Err("the API has no field .spec.containers[0].volumeMount".to_owned()));
}

//! The driver, which provider-azure's chart brings, and its move to a release of its own.

use std::fs;

use serde_json::Value;

use crate::{
    environment::{Environment, PROVIDERS},
    error::StepError,
    steps::{
        install::{PROVIDER_AZURE_CHARTS, install},
        release::{RELEASE, image_of},
    },
};

/// The driver's chart and release, its DaemonSet, the label `app` of its objects, and its part of provider-azure's values.
pub(crate) const DRIVER: &str = "secrets-store-csi-driver";
const CHARTS: &str = "https://kubernetes-sigs.github.io/secrets-store-csi-driver/charts";
const VALUES: &str = "manifests/emulator/driver.values.yaml";
/// The kinds of the driver's objects. The CRDs belong to no release.
const KINDS: &str = "daemonset,serviceaccount,clusterrole,clusterrolebinding,csidriver";

/// Returns the driver's settings for the run, and the operator's values.
pub(crate) fn values(environment: &Environment) -> Result<Value, StepError> {
    let mut values = read(&environment.path(VALUES))?;
    if let Some(more) = &environment.options.driver.values {
        merge(&mut values, read(&more.display().to_string())?);
    }
    Ok(values)
}

/// Moves the driver from provider-azure's release to one of its own, by the commands of docs/install.md.
pub(crate) fn own_release(environment: &Environment) -> Result<String, StepError> {
    let annotate = |selector: &str, annotations: &[&str]| {
        let arguments = ["annotate", KINDS, "--namespace", PROVIDERS, "--overwrite", "--selector", selector];
        environment.kubectl.run(&[&arguments[..], annotations].concat())
    };
    let owned = format!("app={DRIVER},app.kubernetes.io/instance={RELEASE}");
    let name = format!("meta.helm.sh/release-name={DRIVER}");
    let namespace = format!("meta.helm.sh/release-namespace={PROVIDERS}");
    annotate(&owned, &["helm.sh/resource-policy=keep", &name, &namespace])?;
    // All of its values, since Helm merges an adopted object with what the new release renders.
    let values = environment.helm.run(PROVIDERS, &["get", "values", RELEASE, "--all", "--output=json"])?;
    let values: Value = serde_json::from_str(&values)
        .map_err(|error| StepError::Unexpected(format!("parse the values of {RELEASE}: {error}")))?;
    let (chart, input) = (&environment.options.driver, values[DRIVER].to_string());
    install(environment, DRIVER, CHARTS, chart, &["--skip-crds", "--values=-"], &input)?;
    image_of(environment, DRIVER)?;
    let without = format!("{DRIVER}.install=false");
    install(
        environment,
        RELEASE,
        PROVIDER_AZURE_CHARTS,
        &environment.options.provider_azure,
        &["--reuse-values", "--set", &without],
        "",
    )?;
    annotate(&format!("app={DRIVER}"), &["helm.sh/resource-policy-"])?;
    let driver = environment.kubectl.get(&["csidriver", "secrets-store.csi.k8s.io"])?;
    let owner = &driver["metadata"]["annotations"]["meta.helm.sh/release-name"];
    if owner != DRIVER {
        return Err(StepError::Unexpected(format!("the CSIDriver object belongs to the release {owner}")));
    }
    Ok(format!("the release {DRIVER} has the driver, and {RELEASE} the provider"))
}

fn read(path: &str) -> Result<Value, StepError> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    let values = text.and_then(|text| serde_saphyr::from_str(&text).map_err(|error| error.to_string()));
    values.map_err(|error| StepError::Unexpected(format!("read {path}: {error}")))
}

/// Merges values as Helm does: maps by key, and the later one of all others.
fn merge(values: &mut Value, more: Value) {
    match (values, more) {
        (Value::Object(values), Value::Object(more)) => {
            for (key, value) in more {
                merge(values.entry(key).or_insert(Value::Null), value);
            }
        }
        (values, more) => *values = more,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_merged_as_helm_merges_them() {
        let mut values = json!({ "linux": { "image": { "tag": "1" }, "crds": {} }, "tokenRequests": [1] });
        merge(
            &mut values,
            json!({ "linux": { "image": { "tag": "2" }, "crds": null }, "tokenRequests": [2] }),
        );
        assert_eq!(
            values,
            json!({ "linux": { "image": { "tag": "2" }, "crds": null }, "tokenRequests": [2] })
        );
    }
}

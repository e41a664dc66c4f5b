//! The provider with the cluster's issuer, and the mount that `helm test` makes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    environment::{Environment, PROVIDERS, list},
    error::StepError,
    objects,
    steps::{
        install::{CLASS, wait_until_running},
        release::{RELEASE, image_of},
        swap,
    },
    wait,
};

const PODS: [&str; 3] = ["shared-a", "shared-b", "shared-c"];

/// Gives the provider the cluster's issuer. Then pods of one service account must cost one token exchange on a node.
pub(crate) fn one_exchange(environment: &Environment) -> Result<String, StepError> {
    let kubectl = &environment.kubectl;
    let discovery = kubectl.run(&["get", "--raw", "/.well-known/openid-configuration"])?;
    let discovery: Value = serde_json::from_str(&discovery)
        .map_err(|error| StepError::Unexpected(format!("parse the issuer's document: {error}")))?;
    let issuer = discovery["issuer"].as_str().unwrap_or_default();
    swap::upgrade(environment, &format!("serviceAccountIssuer={issuer}"))?;
    image_of(environment, RELEASE)?;
    wait::until("the issuer's keys", Duration::from_secs(60), || {
        let fetched = sum(environment, r#"akv_upstream_requests_total{operation="keys",status="200""#)?;
        Ok(if fetched > 0 { Ok(()) } else { Err("the provider has not fetched them".to_owned()) })
    })?;
    let series = r#"akv_token_requests_total{identity_mode="workload identity",result="issued""#;
    // Pods of the steps before have their tokens already, or share the first one.
    let before = sum(environment, series)?;
    let image = &environment.options.app_image;
    kubectl.apply(&PODS.map(|pod| objects::pod(pod, CLASS, image)))?;
    for pod in PODS {
        wait_until_running(environment, pod)?;
    }
    let proven = sum(environment, r#"akv_identity_proofs_total{result="proven""#)?;
    let exchanges = sum(environment, series)?;
    let nodes = list(&kubectl.get(&["nodes"])?).count();
    let seen = format!(
        "{} new pods; {proven} tokens were proven and {exchanges} exchanged, {before} of them before",
        PODS.len()
    );
    if proven < PODS.len() || exchanges.saturating_sub(before) > nodes {
        return Err(StepError::Unexpected(seen));
    }
    Ok(seen)
}

/// Runs `helm test`, which mounts a class of the release's namespace.
pub(crate) fn helm_test(environment: &Environment) -> Result<String, StepError> {
    let mut class = objects::class(CLASS, "azure", "db-password");
    class["metadata"]["namespace"] = json!(PROVIDERS);
    environment.kubectl.apply(&[class])?;
    swap::upgrade(environment, &format!("test.secretProviderClass={CLASS}"))?;
    let tested = environment.helm.run(PROVIDERS, &["test", RELEASE, "--timeout", "2m"]);
    let deleted = ["delete", "secretproviderclass", CLASS, "--namespace", PROVIDERS];
    environment.kubectl.run(&deleted)?;
    tested?;
    Ok("its pod mounts a volume".to_owned())
}

/// Returns the sum of a counter over all pods of the provider. `series` is the begin of its lines, with the first labels.
fn sum(environment: &Environment, series: &str) -> Result<usize, StepError> {
    let selector = format!("app={RELEASE}");
    let pods = environment.kubectl.get(&["pods", "--namespace", PROVIDERS, "--selector", &selector])?;
    let mut total = 0;
    for pod in list(&pods) {
        let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("/api/v1/namespaces/{PROVIDERS}/pods/{pod}:8898/proxy/metrics");
        total += value(&environment.kubectl.run(&["get", "--raw", &path])?, series);
    }
    Ok(total)
}

fn value(metrics: &str, series: &str) -> usize {
    let values = metrics.lines().filter(|line| line.starts_with(series));
    values.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_summed_over_its_other_labels() {
        let metrics = "# TYPE a counter\na{b=\"1\",c=\"2\"} 3\na{b=\"1\",c=\"4\"} 5\na{b=\"2\",c=\"2\"} 7\n";
        assert_eq!(value(metrics, "a{b=\"1\""), 8);
        assert_eq!(value(metrics, "a{b=\"3\""), 0);
    }
}

//! The release of the provider, which is provider-azure's at first, and its pods.

use std::time::Duration;

use crate::{
    environment::{Environment, PROVIDERS, list},
    error::StepError,
    wait,
};

/// The release, and so the DaemonSet and the label `app` of its pods, in both charts.
pub(crate) const RELEASE: &str = "csi-secrets-store-provider-azure";

/// Returns the registry and name of an image, and its tag.
pub(crate) fn split(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

/// Returns the address of the emulator's proxy, by number: pods on the host network may not know the cluster's DNS.
pub(crate) fn proxy(environment: &Environment) -> Result<String, StepError> {
    let service = environment.kubectl.get(&["service", "akv-emulator", "--namespace", "akv-emulator"])?;
    match service["spec"]["clusterIP"].as_str() {
        Some(address) => Ok(format!("http://{address}:8080")),
        None => Err(StepError::Unexpected("the emulator's Service has no address".to_owned())),
    }
}

/// Waits until every pod of an app runs, and one at least. Returns their image.
pub(crate) fn image_of(environment: &Environment, app: &str) -> Result<String, StepError> {
    wait::until(&format!("the pods of {app}"), Duration::from_secs(180), || {
        let selector = format!("app={app}");
        let pods = environment.kubectl.get(&["pods", "--namespace", PROVIDERS, "--selector", &selector])?;
        let mut images = Vec::new();
        for pod in list(&pods) {
            let containers = pod["status"]["containerStatuses"].as_array();
            let ready = containers.is_some_and(|all| all.iter().all(|container| container["ready"] == true));
            if !ready || !pod["metadata"]["deletionTimestamp"].is_null() {
                return Ok(Err(format!("{} is not ready, or ends", pod["metadata"]["name"])));
            }
            images.push(pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned());
        }
        images.dedup();
        Ok(match images.as_slice() {
            [image] => Ok(image.clone()),
            _ => Err(format!("their images are {images:?}")),
        })
    })
}

/// Leads the pods of provider-azure to the emulator. Its chart has no value for the environment of its container.
pub(crate) fn lead_to_emulator(environment: &Environment) -> Result<(), StepError> {
    let daemonset = format!("daemonset/{RELEASE}");
    let proxy = format!("HTTPS_PROXY={}", proxy(environment)?);
    let certificate = format!("SSL_CERT_FILE={CA_DIRECTORY}/ca-bundle.crt");
    let kubectl = &environment.kubectl;
    kubectl.run(&["--namespace", PROVIDERS, "set", "env", &daemonset, &proxy, &certificate])?;
    rolled_out(environment)
}

/// Waits until every node has the pod of the release's last revision. Helm does not wait for the pods of a DaemonSet that
/// may be unavailable.
pub(crate) fn rolled_out(environment: &Environment) -> Result<(), StepError> {
    let daemonset = format!("daemonset/{RELEASE}");
    let rollout = ["rollout", "status", &daemonset, "--namespace", PROVIDERS, "--timeout=3m"];
    environment.kubectl.run(&rollout).map(drop)
}

pub(crate) const CA_DIRECTORY: &str = "/etc/akv-emulator-ca";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_of_a_registry_is_no_tag() {
        for (image, expected) in [
            ("akv-provider:0.1.0", ("akv-provider", "0.1.0")),
            ("registry:5000/akv-provider:0.1.0", ("registry:5000/akv-provider", "0.1.0")),
            ("registry:5000/akv-provider", ("registry:5000/akv-provider", "latest")),
        ] {
            assert_eq!(split(image), expected, "{image}");
        }
    }
}

//! A secret that changes while a pod runs.

use std::time::Duration;

use crate::{
    environment::{APPS, Environment},
    error::StepError,
    objects,
    steps::install::{read, wait_until_running},
    wait,
};

/// The driver asks again after 15 seconds (`manifests/emulator/driver.values.yaml`), and kubelet calls the driver once in
/// a minute or more.
const MAX_ROTATION: Duration = Duration::from_secs(300);
const NAME: &str = "rotation";
const PAGE: &str =
    "/api/v1/namespaces/akv-emulator/services/akv-emulator:proxy/proxy/vaults/demo/secrets/rotated";

/// Changes a secret, and waits until the pod's file and the synced Secret have the new value.
pub(crate) fn rotate(environment: &Environment) -> Result<String, StepError> {
    let kubectl = &environment.kubectl;
    kubectl.post(PAGE, "first")?;
    let class = objects::synced(objects::class(NAME, "azure", "rotated"), NAME, "rotated");
    kubectl.apply(&[class, objects::pod(NAME, NAME, &environment.options.app_image)])?;
    wait_until_running(environment, NAME)?;
    see(environment, "first", Duration::from_secs(60))?;
    kubectl.post(PAGE, "second")?;
    see(environment, "second", MAX_ROTATION)?;
    Ok("the file and the synced Secret have the new value".to_owned())
}

fn see(environment: &Environment, value: &str, limit: Duration) -> Result<(), StepError> {
    wait::until(&format!("the value '{value}'"), limit, || {
        let file = read(environment, NAME, "rotated")?;
        if file != value {
            return Ok(Err(format!("the file has '{file}'")));
        }
        let template = "--output=go-template={{.data.value | base64decode}}";
        let secret = environment.kubectl.run(&["get", "secret", NAME, "--namespace", APPS, template])?;
        Ok(if secret == value { Ok(()) } else { Err(format!("the Secret has '{secret}'")) })
    })
}

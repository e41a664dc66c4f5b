//! The ways from provider-azure to the provider, and back.

use std::{thread, time::Duration};

use crate::{
    environment::{APPS, Environment, PROVIDERS},
    error::StepError,
    objects,
    steps::{
        install::{BESIDE, CLASS, read, wait_until_running},
        release::{RELEASE, image_of, lead_to_emulator, proxy, rolled_out, split},
    },
};

/// How long pods start in each state, at least.
const SETTLED: Duration = Duration::from_secs(10);
const CHART: &str = "manifests/charts/csi-secrets-store-provider-azure";

/// Puts our image into provider-azure's own chart.
pub(crate) fn image_only(environment: &Environment) -> Result<String, StepError> {
    let installed = environment.options.provider_azure.path.as_ref().map(|path| path.display().to_string());
    let mut arguments = vec!["upgrade", RELEASE, installed.as_deref().unwrap_or(RELEASE)];
    if installed.is_none() {
        arguments
            .extend(["--repo", "https://azure.github.io/secrets-store-csi-driver-provider-azure/charts"]);
    }
    let image = image_values(environment);
    arguments.extend(["--reuse-values", "--set", &image, "--wait", "--timeout", "3m"]);
    environment.helm.run(PROVIDERS, &arguments)?;
    served_by_us(environment, RELEASE)
}

/// Returns to the revision before, which is provider-azure's.
pub(crate) fn back(environment: &Environment) -> Result<String, StepError> {
    environment.helm.run(PROVIDERS, &["rollback", RELEASE, "--wait", "--timeout", "3m"])?;
    lead_to_emulator(environment)?;
    let image = image_of(environment, RELEASE)?;
    thread::sleep(SETTLED);
    if image == environment.options.provider_image {
        return Err(StepError::Unexpected(format!("after the way back, {image} still serves")));
    }
    Ok(format!("{image} serves"))
}

/// Installs our chart under another provider name while provider-azure serves `azure`, mounts a volume, and removes it.
pub(crate) fn beside(environment: &Environment) -> Result<String, StepError> {
    upgrade_to_ours(environment, BESIDE, &["--install", "--set", "providerName=akv"])?;
    let class = format!("{CLASS}-beside");
    let pod = objects::pod("beside", &class, &environment.options.app_image);
    environment.kubectl.apply(&[objects::class(&class, "akv", "db-password"), pod])?;
    wait_until_running(environment, "beside")?;
    let value = read(environment, "beside", "db-password")?;
    let other = image_of(environment, RELEASE)?;
    thread::sleep(SETTLED);
    // A volume without its provider would let the driver wait longer and longer before it connects to the next one.
    environment.kubectl.run(&["delete", "pod", "beside", "--namespace", APPS])?;
    environment.helm.run(PROVIDERS, &["uninstall", BESIDE, "--wait"])?;
    Ok(format!("provider akv mounts {} bytes while {other} serves azure", value.len()))
}

/// Upgrades provider-azure's release to our chart, with the values that it had.
pub(crate) fn in_place(environment: &Environment) -> Result<String, StepError> {
    upgrade_to_ours(environment, RELEASE, &["--reset-then-reuse-values"])?;
    served_by_us(environment, RELEASE)
}

/// Upgrades a release to our chart, with our image and the emulator as Azure.
fn upgrade_to_ours(environment: &Environment, release: &str, more: &[&str]) -> Result<(), StepError> {
    let chart = environment.path(CHART);
    let image = image_values(environment);
    let emulator = emulator_values(environment)?;
    let upgrade =
        ["upgrade", release, &chart, "--set", &image, "--set", &emulator, "--wait", "--timeout", "3m"];
    environment.helm.run(PROVIDERS, &[&upgrade[..], more].concat()).map(drop)
}

/// Upgrades the release of our chart, with the values that it has and these.
pub(crate) fn upgrade(environment: &Environment, values: &str) -> Result<(), StepError> {
    let chart = environment.path(CHART);
    let arguments = ["upgrade", RELEASE, &chart, "--reset-then-reuse-values", "--set", values];
    environment.helm.run(PROVIDERS, &[&arguments[..], &["--wait", "--timeout", "3m"]].concat())?;
    rolled_out(environment)
}

fn served_by_us(environment: &Environment, app: &str) -> Result<String, StepError> {
    let image = image_of(environment, app)?;
    thread::sleep(SETTLED);
    if image != environment.options.provider_image {
        return Err(StepError::Unexpected(format!("after the swap, {image} serves")));
    }
    Ok(format!("{image} serves"))
}

fn image_values(environment: &Environment) -> String {
    let (name, tag) = split(&environment.options.provider_image);
    format!("linux.image.repository={name},linux.image.tag={tag}")
}

fn emulator_values(environment: &Environment) -> Result<String, StepError> {
    let proxy = proxy(environment)?;
    Ok(format!("proxy.url={proxy},caBundle.configMap=akv-emulator-ca,republishMaxAge=0s"))
}

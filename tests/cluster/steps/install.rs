//! The emulator, provider-azure with its driver, and the first volume; and their removal.

use std::{process::Command, time::Duration};

use crate::{
    command,
    environment::{APPS, Environment, PROVIDERS},
    error::StepError,
    objects::{self, VOLUME},
    options::Chart,
    steps::driver::{self, DRIVER},
    steps::release::{CA_DIRECTORY, RELEASE, image_of, lead_to_emulator},
    wait,
};

/// The class of the first volume and of the stream's.
pub(crate) const CLASS: &str = "password";
/// A pod that stays through all swaps.
const FIRST: &str = "first";

pub(crate) fn emulator(environment: &Environment) -> Result<String, StepError> {
    // The namespace marks the cluster as one of a run, for the case that the run is repeated.
    environment.kubectl.apply(&objects::namespace())?;
    let mut script = Command::new(environment.path("manifests/emulator/apply.sh"));
    let image = &environment.options.emulator_image;
    command::run(script.env("EMULATOR_IMAGE", image).env("PROVIDER_NAMESPACE", PROVIDERS), "")?;
    Ok(format!("{image} is ready"))
}

/// Installs provider-azure's chart as its users have it: the release brings the driver, too.
pub(crate) fn provider_azure(environment: &Environment) -> Result<String, StepError> {
    install(
        environment,
        RELEASE,
        PROVIDER_AZURE_CHARTS,
        &environment.options.provider_azure,
        &[
            "--set-json",
            &format!("{DRIVER}={}", driver::values(environment)?),
            "--set-json",
            r#"linux.volumes=[{"name": "akv-emulator-ca", "configMap": {"name": "akv-emulator-ca"}}]"#,
            "--set-json",
            &format!(r#"linux.volumeMounts=[{{"name": "akv-emulator-ca", "mountPath": "{CA_DIRECTORY}"}}]"#),
        ],
        "",
    )?;
    lead_to_emulator(environment)?;
    image_of(environment, DRIVER)?;
    Ok(format!("{} and its driver are ready", image_of(environment, RELEASE)?))
}

/// Creates the pod that stays until the end.
pub(crate) fn first_volume(environment: &Environment) -> Result<String, StepError> {
    let image = &environment.options.app_image;
    let objects = [objects::class(CLASS, "azure", "db-password"), objects::pod(FIRST, CLASS, image)];
    environment.kubectl.apply(&objects)?;
    wait_until_running(environment, FIRST)?;
    let value = read(environment, FIRST, "db-password")?;
    Ok(format!("the pod reads {} bytes", value.len()))
}

/// Checks that no swap has restarted the first pod, or taken its file.
pub(crate) fn first_volume_kept(environment: &Environment) -> Result<String, StepError> {
    let pod = environment.kubectl.get(&["pod", FIRST, "--namespace", APPS])?;
    let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
    if *restarts != 0 {
        return Err(StepError::Unexpected(format!("the first pod was restarted {restarts} times")));
    }
    let value = read(environment, FIRST, "db-password")?;
    Ok(format!("the pod from before the swaps still reads {} bytes, without a restart", value.len()))
}

pub(crate) fn remove(environment: &Environment) {
    let kubectl = &environment.kubectl;
    // What is not there any more needs no removal.
    let _ = kubectl.run(&["delete", "namespace", APPS, "--ignore-not-found"]);
    for release in [RELEASE, BESIDE, DRIVER] {
        let _ = environment.helm.run(PROVIDERS, &["uninstall", release, "--wait"]);
    }
    let _ = kubectl.run(&["delete", "namespace", "akv-emulator", "--ignore-not-found"]);
    let _ = kubectl.run(&["delete", "configmap", "akv-emulator-ca", "--namespace", PROVIDERS]);
}

/// Waits until a pod runs, and names the last event of a pod that does not.
pub(crate) fn wait_until_running(environment: &Environment, pod: &str) -> Result<(), StepError> {
    wait::until(&format!("pod {pod}"), Duration::from_secs(120), || {
        let found = environment.kubectl.get(&["pod", pod, "--namespace", APPS])?;
        if !found["status"]["containerStatuses"][0]["state"]["running"].is_null() {
            return Ok(Ok(()));
        }
        let selector = format!("involvedObject.name={pod}");
        let events = ["events", "--namespace", APPS, "--field-selector", &selector];
        let events = environment.kubectl.get(&events)?;
        let last = events["items"].as_array().and_then(|events| events.last());
        Ok(Err(last.map_or("it has no event".to_owned(), |event| event["message"].to_string())))
    })
}

/// Returns a file of a pod's volume.
pub(crate) fn read(environment: &Environment, pod: &str, file: &str) -> Result<String, StepError> {
    environment.kubectl.read_file(APPS, pod, &format!("{VOLUME}/{file}"))
}

/// Installs a chart of another project, or upgrades its release. `input` is for a setting `--values=-`.
pub(crate) fn install(
    environment: &Environment,
    release: &str,
    repository: &str,
    chart: &Chart,
    settings: &[&str],
    input: &str,
) -> Result<String, StepError> {
    let path = chart.path.as_ref().map(|path| path.display().to_string());
    let values = chart.values.as_ref().map(|values| values.display().to_string());
    // Both projects name their chart as the release.
    let mut arguments = vec!["upgrade", "--install", release, path.as_deref().unwrap_or(release)];
    if path.is_none() {
        arguments.extend(["--repo", repository]);
    }
    arguments.extend(["--wait", "--timeout", "5m"]);
    arguments.extend(settings);
    if let Some(values) = &values {
        arguments.extend(["--values", values]);
    }
    environment.helm.run_with(PROVIDERS, &arguments, input)
}

/// The release of our chart that runs beside provider-azure.
pub(crate) const BESIDE: &str = "akv";
pub(crate) const PROVIDER_AZURE_CHARTS: &str =
    "https://azure.github.io/secrets-store-csi-driver-provider-azure/charts";

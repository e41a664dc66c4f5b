//! The SecretProviderClasses of the documentation, one for each identity mode.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::{
    command,
    environment::{APPS, Environment, list},
    error::StepError,
    objects::{self, VOLUME},
    steps::install::{read, wait_until_running},
};

/// Files of `manifests/examples`, which all mount the same objects.
pub(crate) const EXAMPLES: [&str; 3] =
    ["workload-identity", "service-principal", "user-assigned-managed-identity"];

/// The readable files of each example, and how each begins.
const FILES: [(&str, &str); 4] = [
    ("db-password", "pa55w0rd"),
    ("signing-rsa.pub", "-----BEGIN PUBLIC KEY-----"),
    ("signing-ec.pub", "-----BEGIN PUBLIC KEY-----"),
    ("web.crt", "-----BEGIN CERTIFICATE-----"),
];

/// The port of IMDS in `manifests/emulator/emulator.yaml`.
const IMDS_PORT: u16 = 8169;

/// Mounts the class of an example in a pod of a restricted namespace.
pub(crate) fn example(environment: &Environment, example: &str) -> Result<String, StepError> {
    if example.ends_with("managed-identity") {
        lead_imds(environment)?;
    }
    let text = fs::read_to_string(environment.path(&format!("manifests/examples/{example}.yaml")));
    let text = text.map_err(|error| StepError::Unexpected(format!("read {example}: {error}")))?;
    let mut pod = objects::pod(example, example, &environment.options.app_image);
    if example == "service-principal" {
        pod["spec"]["volumes"][0]["csi"]["nodePublishSecretRef"] =
            json!({ "name": "azure-service-principal" });
    }
    let mut objects = objects_of(&text)?;
    objects.push(pod);
    environment.kubectl.apply(&objects)?;
    wait_until_running(environment, example)?;
    for (file, start) in FILES {
        let content = read(environment, example, file)?;
        if !content.starts_with(start) {
            return Err(StepError::Unexpected(format!("{file} does not begin with {start}")));
        }
    }
    // Its mode is 0440, and the pod is not of root's group.
    let listed =
        environment.kubectl.run(&["--namespace", APPS, "exec", example, "--", "ls", "-lL", VOLUME])?;
    let bundle = listed.lines().find(|line| line.ends_with("web.pem")).unwrap_or_default();
    if !bundle.starts_with("-r--r-----") {
        return Err(StepError::Unexpected(format!("web.pem is listed as '{bundle}'")));
    }
    Ok(format!("{} files, web.pem with mode 0440", FILES.len() + 1))
}

/// Leads the nodes' IMDS to the emulator with the operator's command. A node outside of Azure has no IMDS.
fn lead_imds(environment: &Environment) -> Result<(), StepError> {
    let Some(lead) = &environment.options.lead_imds else {
        return Err(StepError::Skipped(
            "--lead-imds names no command, and the nodes have no IMDS".to_owned(),
        ));
    };
    let selector = ["--namespace", "akv-emulator", "--selector", "app=akv-emulator"];
    let pods = environment.kubectl.get(&[&["pods"], &selector[..]].concat())?;
    let address = list(&pods).find_map(|pod| pod["status"]["podIP"].as_str());
    let address = address.ok_or_else(|| StepError::Unexpected("the emulator has no address".to_owned()))?;
    let mut command = Command::new("sh");
    command.args(["-c", lead]).env("IMDS_ADDRESS", format!("{address}:{IMDS_PORT}"));
    command::run(&mut command, "")?;
    Ok(())
}

/// Returns the class and the Secret of an example, in the namespace of the apps and with the emulator's client secret.
fn objects_of(example: &str) -> Result<Vec<Value>, StepError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(example)
        .map_err(|error| StepError::Unexpected(format!("parse the example: {error}")))?;
    let wanted = documents
        .into_iter()
        .filter(|object| object["kind"] == "SecretProviderClass" || object["kind"] == "Secret");
    Ok(wanted
        .map(|mut object| {
            object["metadata"]["namespace"] = json!(APPS);
            if object["kind"] == "Secret" {
                object["stringData"] = json!({
                    "clientid": "dddddddd-0000-0000-0000-000000000003", "clientsecret": "s3cr3t~value",
                });
            }
            object
        })
        .collect())
}

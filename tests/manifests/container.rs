//! The provider's container in a DaemonSet: its arguments as the provider parses them, and its rights on a node.

use std::{collections::BTreeSet, path::Path};

use akv_provider::{
    cli::{self, Command, Config, Environment, FLAGS},
    server::endpoint::Endpoint,
};
use k8s_openapi::{
    api::{
        apps::v1::DaemonSet,
        core::v1::{Container, PodSpec},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use serde_json::Value;

use crate::kubernetes;

const SOCKET_DIRECTORY: &str = "/var/run/secrets-store-csi-providers";

/// Parses the provider's pod in a DaemonSet as kubelet and the provider do.
pub(crate) fn check(daemonset: &DaemonSet) -> Result<(), String> {
    let spec = daemonset.spec.as_ref().ok_or("no spec")?;
    let labels = spec.template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref());
    for (key, value) in spec.selector.match_labels.iter().flatten() {
        if labels.and_then(|labels| labels.get(key)) != Some(value) {
            return Err(format!("the selector's {key}={value} is no label of the pods"));
        }
    }
    let pod = spec.template.spec.as_ref().ok_or("no pod")?;
    let [container] = pod.containers.as_slice() else {
        return Err("there is to be one container".to_owned());
    };
    arguments(container)?;
    mounts(pod, container)?;
    security(pod, container)?;
    probes(container)
}

/// Parses the container's arguments and environment as the provider does.
pub(crate) fn config(daemonset: &Value) -> Config {
    let daemonset: DaemonSet = kubernetes::read(daemonset).unwrap();
    let pod = daemonset.spec.unwrap().template.spec.unwrap();
    parse(&pod.containers[0]).unwrap()
}

/// Returns the flags that a container's arguments set.
pub(crate) fn flags(daemonset: &Value) -> BTreeSet<String> {
    let args = daemonset["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let name = |arg: &Value| {
        let arg = arg.as_str().unwrap().trim_start_matches('-');
        arg.split_once('=').map_or(arg, |(name, _)| name).to_owned()
    };
    args.iter().map(name).collect()
}

/// Returns the flags that an operator may want to set.
pub(crate) fn settable_flags() -> BTreeSet<String> {
    FLAGS
        .iter()
        .filter(|flag| !flag.help.is_empty() && !["help", "h", "version"].contains(&flag.name))
        .map(|flag| flag.name.to_owned())
        .collect()
}

fn parse(container: &Container) -> Result<Config, String> {
    let variable =
        |name| container.env.iter().flatten().find(|variable| variable.name == name)?.value.clone();
    let environment = Environment {
        cloud_file: variable("AZURE_ENVIRONMENT_FILEPATH").map(Into::into),
        ..Default::default()
    };
    match cli::parse(container.args.clone().unwrap_or_default(), environment) {
        Ok(Command::Serve(config)) => Ok(*config),
        Ok(other) => Err(format!("the arguments ask for {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

fn arguments(container: &Container) -> Result<(), String> {
    let config = parse(container)?;
    let Endpoint::Unix(socket) = &config.endpoint else {
        return Err(format!("{} is no Unix socket", config.endpoint));
    };
    if socket.parent() != Some(Path::new(SOCKET_DIRECTORY)) || socket.extension() != Some("sock".as_ref()) {
        return Err(format!("the driver does not look for the provider at {}", config.endpoint));
    }
    if container.command.is_some() {
        return Err("the image's entrypoint is replaced".to_owned());
    }
    Ok(())
}

fn mounts(pod: &PodSpec, container: &Container) -> Result<(), String> {
    let mounts = container.volume_mounts.as_deref().unwrap_or_default();
    let volumes = pod.volumes.as_deref().unwrap_or_default();
    let mut paths = BTreeSet::new();
    for mount in mounts {
        if !volumes.iter().any(|volume| volume.name == mount.name) {
            return Err(format!("the mount {} has no volume", mount.name));
        }
        if !paths.insert(&mount.mount_path) {
            return Err(format!("two mounts at {}", mount.mount_path));
        }
    }
    for volume in volumes {
        if !mounts.iter().any(|mount| mount.name == volume.name) {
            return Err(format!("the volume {} is mounted nowhere", volume.name));
        }
    }
    let below = |path: &str| mounts.iter().any(|mount| path.starts_with(&format!("{}/", mount.mount_path)));
    for variable in container.env.iter().flatten() {
        let path = variable.value.as_deref().unwrap_or_default();
        if ["SSL_CERT_FILE", "AZURE_ENVIRONMENT_FILEPATH"].contains(&variable.name.as_str()) && !below(path) {
            return Err(format!("{} names {path}, which is in no volume", variable.name));
        }
    }
    for needed in [SOCKET_DIRECTORY, "/var/run/secrets/kubernetes.io/serviceaccount"] {
        if !paths.contains(&needed.to_owned()) {
            return Err(format!("nothing is mounted at {needed}"));
        }
    }
    Ok(())
}

fn security(pod: &PodSpec, container: &Container) -> Result<(), String> {
    let context = container.security_context.clone().unwrap_or_default();
    let privileged = context.privileged == Some(true);
    let dropped = context.capabilities.and_then(|capabilities| capabilities.drop);
    for (what, holds) in [
        ("readOnlyRootFilesystem: true", context.read_only_root_filesystem == Some(true)),
        ("allowPrivilegeEscalation: false", privileged || context.allow_privilege_escalation == Some(false)),
        ("capabilities.drop: [ALL]", dropped == Some(vec!["ALL".to_owned()])),
        (
            "seccompProfile.type: RuntimeDefault",
            context.seccomp_profile.is_some_and(|profile| profile.type_ == "RuntimeDefault"),
        ),
        ("automountServiceAccountToken: false", pod.automount_service_account_token == Some(false)),
    ] {
        if !holds {
            return Err(format!("{what} is missing"));
        }
    }
    Ok(())
}

/// Probes must use the addresses at which the provider answers.
fn probes(container: &Container) -> Result<(), String> {
    let argument = |name: &str| {
        let prefix = format!("--{name}=");
        container.args.iter().flatten().rev().find_map(|arg| arg.strip_prefix(&prefix)).unwrap_or_default()
    };
    let ports = container.ports.as_deref().unwrap_or_default();
    let port = |name: &str| {
        let found = ports.iter().find(|port| port.name.as_deref() == Some(name));
        found.map_or("0".to_owned(), |port| port.container_port.to_string())
    };
    for (name, flag) in [("healthz", "healthz-port"), ("metrics", "prometheus-port")] {
        if port(name) != argument(flag) {
            return Err(format!("port {name} is {}, but --{flag} is {}", port(name), argument(flag)));
        }
    }
    let on = argument("healthz-port") != "0";
    for (probe, path) in
        [(&container.liveness_probe, argument("healthz-path")), (&container.readiness_probe, "/readyz")]
    {
        let get = probe.as_ref().and_then(|probe| probe.http_get.as_ref());
        let right = get.is_some_and(|get| {
            get.path.as_deref() == Some(path) && get.port == IntOrString::String("healthz".to_owned())
        });
        if right != on {
            return Err(format!("a probe is to ask {path} on the port healthz: {on}"));
        }
    }
    Ok(())
}

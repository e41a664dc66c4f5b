//! The provider and kubelet, ended while pods start.

use std::{process::Command, time::Duration};

use crate::{
    command,
    environment::{Environment, PROVIDERS, list},
    error::StepError,
    steps::release::{RELEASE, image_of},
    wait,
};

/// Kills the provider's pods without a grace period.
pub(crate) fn provider_killed(environment: &Environment) -> Result<String, StepError> {
    let selector = format!("app={RELEASE}");
    let delete = ["delete", "pod", "--namespace", PROVIDERS, "--selector", &selector];
    environment.kubectl.run(&[&delete[..], &["--force", "--grace-period=0"][..]].concat())?;
    Ok(format!("{} serves again", image_of(environment, RELEASE)?))
}

/// Restarts kubelet with the operator's command.
pub(crate) fn kubelet_restarted(environment: &Environment) -> Result<String, StepError> {
    let Some(restart) = &environment.options.restart_kubelet else {
        return Err(StepError::Skipped("--restart-kubelet names no command".to_owned()));
    };
    command::run(Command::new("sh").args(["-c", restart]), "")?;
    wait::until("a ready node", Duration::from_secs(120), || {
        let nodes = environment.kubectl.get(&["nodes"])?;
        let ready = list(&nodes).all(|node| {
            let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            conditions.filter(|it| it["type"] == "Ready").all(|it| it["status"] == "True")
        });
        Ok(if ready { Ok(()) } else { Err("a node is not ready".to_owned()) })
    })?;
    Ok("the node is ready again".to_owned())
}

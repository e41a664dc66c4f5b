//! The cluster and the sources, as every step uses them.

use std::{
    env,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{error::StepError, helm::Helm, kubectl::Kubectl, options::Options};

/// The namespace of the apps.
pub(crate) const APPS: &str = "akv-acceptance";
/// The namespace of the driver and the providers.
pub(crate) const PROVIDERS: &str = "kube-system";

#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) options: Options,
    pub(crate) kubectl: Kubectl,
    pub(crate) helm: Helm,
    /// Whether an earlier run has left its objects.
    pub(crate) repeated: bool,
}

impl Environment {
    /// Checks that the programs are there, and that the cluster is free for the run.
    pub(crate) fn new(options: Options) -> Result<Self, StepError> {
        let program = |variable, name: &str| env::var(variable).unwrap_or_else(|_| name.to_owned());
        let kubectl = Kubectl::new(program("KUBECTL", "kubectl"));
        let helm = Helm::new(program("HELM", "helm"));
        helm.run(PROVIDERS, &["list"])?;
        let kept = kubectl.get(&["namespaces", "--selector=akv-acceptance=true"])?;
        let repeated = list(&kept).next().is_some();
        let environment = Self { options, kubectl, helm, repeated };
        environment.refuse_foreign_driver()?;
        Ok(environment)
    }

    /// Returns a path of the repository, as an argument.
    pub(crate) fn path(&self, relative: &str) -> String {
        repository().join(relative).display().to_string()
    }

    /// A run replaces the driver and its provider, and removes both. So it must not meet those of somebody else.
    fn refuse_foreign_driver(&self) -> Result<(), StepError> {
        let drivers = self.kubectl.get(&["csidrivers"])?;
        let driver = list(&drivers).find(|driver| driver["metadata"]["name"] == "secrets-store.csi.k8s.io");
        let Some(driver) = driver.filter(|_| !self.repeated) else { return Ok(()) };
        let release = &driver["metadata"]["annotations"]["meta.helm.sh/release-name"];
        Err(StepError::Unexpected(format!(
            "the cluster has the driver already (release {release}), and the run would replace it; use a cluster without it"
        )))
    }
}

/// Returns the items of a list, as `kubectl get` prints it.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value["items"].as_array().into_iter().flatten()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

//! Releases, through `helm` (`HELM` or `PATH`).

use std::process::Command;

use crate::{command, error::StepError};

#[derive(Clone, Debug)]
pub(crate) struct Helm {
    program: String,
}

impl Helm {
    pub(crate) fn new(program: String) -> Self {
        Self { program }
    }

    /// Runs Helm in a namespace.
    pub(crate) fn run(&self, namespace: &str, arguments: &[&str]) -> Result<String, StepError> {
        self.run_with(namespace, arguments, "")
    }

    /// Runs Helm with values on its standard input (`--values -`).
    pub(crate) fn run_with(
        &self,
        namespace: &str,
        arguments: &[&str],
        values: &str,
    ) -> Result<String, StepError> {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--namespace", namespace]);
        Ok(command::run(&mut command, values)?)
    }
}

//! The cluster, through `kubectl` (`KUBECTL` or `PATH`).

use std::process::Command;

use serde_json::Value;

use crate::{command, error::StepError};

#[derive(Clone, Debug)]
pub(crate) struct Kubectl {
    program: String,
}

impl Kubectl {
    pub(crate) fn new(program: String) -> Self {
        Self { program }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, StepError> {
        self.run_with(arguments, "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Result<String, StepError> {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        Ok(command::run(&mut command, input)?)
    }

    /// Creates or changes objects.
    pub(crate) fn apply(&self, objects: &[Value]) -> Result<(), StepError> {
        let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
        self.run_with(&["apply", "--filename=-"], &texts.join("\n---\n")).map(drop)
    }

    /// Returns one object, or a list, as `kubectl get` prints it in JSON.
    pub(crate) fn get(&self, arguments: &[&str]) -> Result<Value, StepError> {
        let text = self.run(&[&["get", "--output=json", "--request-timeout=30s"][..], arguments].concat())?;
        serde_json::from_str(&text).map_err(|error| StepError::Unexpected(format!("kubectl get: {error}")))
    }

    /// Returns a file of a pod.
    pub(crate) fn read_file(&self, namespace: &str, pod: &str, path: &str) -> Result<String, StepError> {
        self.run(&["--namespace", namespace, "exec", pod, "--", "cat", path])
    }

    /// Posts a text through the API server's proxy to a service.
    pub(crate) fn post(&self, path: &str, body: &str) -> Result<String, StepError> {
        self.run_with(&["create", "--raw", path, "--filename=-"], body)
    }
}

//! A real API server checks every object, where `KUBECONFIG_FOR_TESTS` names one: etcd and kube-apiserver are enough.
//! Nothing is stored (`--dry-run=server`).

use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    chart,
    repository::{documents, files, program, run, text},
};

struct ApiServer {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
}

impl ApiServer {
    /// Returns the API server, or reports that there is none.
    fn find() -> Option<Self> {
        let Some(kubeconfig) = env::var_os("KUBECONFIG_FOR_TESTS").filter(|path| !path.is_empty()) else {
            let _ = writeln!(io::stderr(), "skipped: KUBECONFIG_FOR_TESTS names no API server");
            return None;
        };
        Some(Self { kubectl: program("kubectl", "KUBECTL")?, kubeconfig: kubeconfig.into() })
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        run(Command::new(&self.kubectl).arg("--kubeconfig").arg(&self.kubeconfig).args(arguments))
    }

    /// Returns whether the server has an API group, such as that of a CRD.
    fn has(&self, version: &str) -> bool {
        let Some((group, _)) = version.split_once('/') else { return true };
        self.kubectl(&["get", "--raw", &format!("/apis/{group}")]).is_ok()
    }

    /// Has the server check all objects but pods: their ServiceAccounts would have to be stored first.
    fn check(&self, name: &str, objects: &[Value]) {
        let known: Vec<&Value> = objects
            .iter()
            .filter(|object| object["kind"] != "Pod" && self.has(object["apiVersion"].as_str().unwrap()))
            .collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), json!({"apiVersion": "v1", "kind": "List", "items": known}).to_string())
            .unwrap();
        let path = file.path().to_str().unwrap();
        let said = self.kubectl(&["apply", "--dry-run=server", "--validate=strict", "--filename", path]);
        let said = said.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(said.lines().count(), known.len(), "{name}: {said}");
    }
}

#[test]
fn a_real_api_server_accepts_the_plain_yaml_and_the_recipes() {
    let Some(server) = ApiServer::find() else { return };
    for file in files("manifests/deploy").into_iter().chain(files("manifests/recipes")) {
        server.check(&file, &documents(&text(&file)));
    }
}

#[test]
fn a_real_api_server_accepts_everything_that_the_chart_renders() {
    let Some(server) = ApiServer::find() else { return };
    for (name, objects) in chart::samples() {
        server.check(name, &objects);
    }
}

//! A real API server checks every object, where `KUBECONFIG_FOR_TESTS` names one: etcd and kube-apiserver are enough.
//! Only the admission policy is stored, bound to a namespace of its own, and both are deleted again. All else is
//! `--dry-run=server`.

use std::{
    env, fs,
    io::{self, Write as _},
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
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

    /// Stores objects, or only has the server check them.
    fn apply(&self, objects: &[Value], more: &[&str]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string())
            .unwrap();
        let path = file.path().to_str().unwrap();
        self.kubectl(&[&["apply", "--validate=strict", "--filename", path], more].concat())
    }

    /// Has the server check all objects but pods: their ServiceAccounts would have to be stored first.
    fn check(&self, name: &str, objects: &[Value]) {
        let known: Vec<Value> = objects
            .iter()
            .filter(|object| object["kind"] != "Pod" && self.has(object["apiVersion"].as_str().unwrap()))
            .cloned()
            .collect();
        let said = self.apply(&known, &["--dry-run=server"]);
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
fn a_real_api_server_accepts_the_examples_and_the_emulator() {
    let Some(server) = ApiServer::find() else { return };
    for file in files("manifests/examples") {
        server.check(&file, &documents(&text(&file)));
    }
    // Its namespace is not stored, so its other objects cannot be checked.
    let emulator = documents(&text("manifests/emulator/emulator.yaml"));
    server.check("emulator", &emulator[..1]);
}

#[test]
fn a_real_api_server_accepts_everything_that_the_chart_renders() {
    let Some(server) = ApiServer::find() else { return };
    for (name, objects) in chart::samples() {
        server.check(name, &objects);
    }
}

/// The policy of the chart, bound to a namespace. Dropping it deletes both.
struct StoredPolicy<'a>(&'a ApiServer);

impl<'a> StoredPolicy<'a> {
    const NAME: &'static str = "akv-provider-policy-test";

    fn store(server: &'a ApiServer) -> Self {
        let stored = Self(server);
        let mut objects =
            documents(&text("manifests/charts/csi-secrets-store-provider-azure/files/admission-policy.yaml"));
        for object in &mut objects {
            object["metadata"]["name"] = json!(Self::NAME);
        }
        objects[1]["spec"]["policyName"] = json!(Self::NAME);
        objects[1]["spec"]["matchResources"] =
            json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": Self::NAME}}});
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": Self::NAME}}));
        server.apply(&objects, &[]).unwrap();
        stored
    }

    /// Returns what the API server says about a class with these parameters.
    fn judge(&self, provider: &str, parameters: &Value) -> Result<String, String> {
        let class = json!({
            "apiVersion": "secrets-store.csi.x-k8s.io/v1",
            "kind": "SecretProviderClass",
            "metadata": {"name": "judged", "namespace": Self::NAME},
            "spec": {"provider": provider, "parameters": parameters},
        });
        self.0.apply(&[class], &["--dry-run=server"])
    }
}

impl Drop for StoredPolicy<'_> {
    fn drop(&mut self) {
        for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy", "namespace"] {
            // What was not stored cannot be deleted.
            let _ = self.0.kubectl(&["delete", kind, Self::NAME, "--wait=false"]);
        }
    }
}

#[test]
fn a_real_api_server_enforces_the_policy_of_the_chart() {
    let Some(server) = ApiServer::find() else { return };
    if !server.has("secrets-store.csi.x-k8s.io/v1") {
        let _ = writeln!(io::stderr(), "skipped: the API server has no CRD of the driver");
        return;
    }
    let policy = StoredPolicy::store(&server);
    let good = json!({
        "keyvaultName": "demo", "objects": "array: []",
        "clientID": "00000000-0000-0000-0000-000000000001", "tenantID": "00000000-0000-0000-0000-000000000002",
    });
    let with = |changes: &[(&str, &str)]| {
        let mut parameters = good.clone();
        for (key, value) in changes {
            parameters[key] = json!(value);
        }
        parameters
    };
    // The API server takes a while until it knows a new policy.
    let start = Instant::now();
    while policy.judge("azure", &with(&[("keyvaultName", "de_mo")])).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(60), "the policy has no effect");
        thread::sleep(Duration::from_millis(200));
    }
    for (parameters, expected) in [
        (with(&[("keyvaultName", "https://demo.vault.azure.net")]), "keyvaultName must be 3 to 24"),
        (json!({"keyvaultName": "demo"}), "objects must not be blank"),
        (with(&[("useVMManagedIdentity", "yes")]), "useVMManagedIdentity must be true or false"),
        (with(&[("useVMManagedIdentity", "true"), ("usePodIdentity", "1")]), "only one of"),
        (with(&[("cloudName", "MoonCloud")]), "cloudName must be"),
        (with(&[("clientID", "my-app")]), "clientID must be a GUID"),
        (with(&[("tenantID", "a/b")]), "tenantID must be"),
    ] {
        let refused = policy.judge("azure", &parameters).expect_err(expected);
        assert!(refused.contains(expected), "{expected}: {refused}");
    }
    for (provider, parameters) in [
        ("azure", good.clone()),
        ("vault", json!({})),
        ("azure", with(&[("cloudName", "azureusgovernment")])),
    ] {
        policy.judge(provider, &parameters).unwrap();
    }
    for file in files("manifests/examples") {
        for class in documents(&text(&file)).iter().filter(|it| it["kind"] == "SecretProviderClass") {
            let (provider, parameters) = (&class["spec"]["provider"], &class["spec"]["parameters"]);
            policy
                .judge(provider.as_str().unwrap(), parameters)
                .unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    }
}

//! The real Helm.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::repository::{documents, path, program, run, text};

use super::{CHART, cluster::Cluster};

/// A release name for which provider-azure's chart uses the DaemonSet's name.
pub(super) const RELEASE: &str = "csi-secrets-store-provider-azure";

pub(super) struct Helm {
    program: PathBuf,
}

/// Returns the values that must be given where Helm cannot ask a cluster.
pub(super) fn required() -> Value {
    json!({
        "linux": {"image": {"repository": "akv-provider"}},
        "driver": {"installedBy": "release"},
        "hostNetwork": false,
    })
}

impl Helm {
    /// Returns Helm, or reports that it is not installed.
    pub(super) fn find() -> Option<Self> {
        Some(Self { program: program("helm", "HELM")? })
    }

    /// Renders the chart with these values on top of its own and the required ones. `Err` is Helm's error.
    pub(super) fn render(&self, values: &Value) -> Result<Vec<Value>, String> {
        self.template(&path(CHART), &[required(), values.clone()], &[]).map(|yaml| documents(&yaml))
    }

    /// Like [`Self::render`], as an upgrade.
    pub(super) fn upgrade(&self, values: &Value) -> Result<Vec<Value>, String> {
        let values = [required(), values.clone()];
        self.template(&path(CHART), &values, &["--is-upgrade"]).map(|yaml| documents(&yaml))
    }

    /// Renders the chart with these values and arguments only.
    pub(super) fn render_alone(&self, values: &Value, more: &[&str]) -> Result<Vec<Value>, String> {
        self.template(&path(CHART), std::slice::from_ref(values), more).map(|yaml| documents(&yaml))
    }

    /// Renders the chart with only these values, where Helm can ask `cluster`.
    pub(super) fn render_on(
        &self,
        cluster: &Cluster,
        values: &Value,
        more: &[&str],
    ) -> Result<Vec<Value>, String> {
        let url = cluster.url();
        let more = [&["--dry-run=server", "--kube-apiserver", &url], more].concat();
        self.render_alone(values, &more)
    }

    /// Renders as `helm upgrade --reuse-values` does: the values of the release's last chart replace the defaults of
    /// this one (`reuseValues` in Helm's pkg/action/upgrade.go).
    pub(super) fn reuse(&self, last: &Value, values: &Value) -> Result<Vec<Value>, String> {
        let chart = tempfile::tempdir().unwrap();
        copy(&path(CHART), chart.path());
        fs::write(chart.path().join("values.yaml"), last.to_string()).unwrap();
        self.template(chart.path(), std::slice::from_ref(values), &["--is-upgrade"])
            .map(|yaml| documents(&yaml))
    }

    /// Returns the notes that an operator sees.
    pub(super) fn notes(&self, values: &Value) -> String {
        let chart = tempfile::tempdir().unwrap();
        copy(&path(CHART), chart.path());
        let templates = chart.path().join("templates");
        // Helm shows notes only for a release, which needs a cluster.
        let notes = text(&format!("{CHART}/templates/NOTES.txt"));
        fs::write(templates.join("_notes.tpl"), format!("{{{{ define \"notes\" }}}}{notes}{{{{ end }}}}"))
            .unwrap();
        fs::write(templates.join("notes.yaml"), "notes: {{ include \"notes\" . | quote }}").unwrap();
        let yaml =
            self.template(chart.path(), &[required(), values.clone()], &["-s", "templates/notes.yaml"]);
        documents(&yaml.unwrap())[0]["notes"].as_str().unwrap().to_owned()
    }

    fn template(&self, chart: &Path, values: &[Value], more: &[&str]) -> Result<String, String> {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(&self.program);
        command
            .args(["template", RELEASE])
            .arg(chart)
            // Without a cluster, Helm assumes a cluster version of its own.
            .args(["--namespace", "kube-system", "--kube-version", "1.33.0"])
            // No cluster that the user of this machine has.
            .env("KUBECONFIG", home.path().join("none"))
            .args(more);
        for (i, values) in values.iter().enumerate() {
            let file = home.path().join(format!("{i}.json"));
            fs::write(&file, values.to_string()).unwrap();
            command.arg("--values").arg(file);
        }
        run(&mut command)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

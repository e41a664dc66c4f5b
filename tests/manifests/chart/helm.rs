//! The real Helm.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::repository::{documents, path, program, run, text};

use super::CHART;

/// A release name for which provider-azure's chart uses the DaemonSet's name.
pub(super) const RELEASE: &str = "csi-secrets-store-provider-azure";

pub(super) struct Helm {
    program: PathBuf,
}

impl Helm {
    /// Returns Helm, or reports that it is not installed.
    pub(super) fn find() -> Option<Self> {
        Some(Self { program: program("helm", "HELM")? })
    }

    /// Renders the chart with these values on top of its own. `Err` is Helm's error.
    pub(super) fn render(&self, values: &Value) -> Result<Vec<Value>, String> {
        self.template(&path(CHART), values, &[]).map(|yaml| documents(&yaml))
    }

    /// Returns the notes that an operator sees.
    pub(super) fn notes(&self, values: &Value) -> String {
        let chart = tempfile::tempdir().unwrap();
        let templates = chart.path().join("templates");
        fs::create_dir(&templates).unwrap();
        for file in ["Chart.yaml", "values.yaml", "templates/_names.tpl"] {
            fs::copy(path(&format!("{CHART}/{file}")), chart.path().join(file)).unwrap();
        }
        // Helm shows notes only for a release, which needs a cluster.
        let notes = text(&format!("{CHART}/templates/NOTES.txt"));
        fs::write(templates.join("_notes.tpl"), format!("{{{{ define \"notes\" }}}}{notes}{{{{ end }}}}"))
            .unwrap();
        fs::write(templates.join("notes.yaml"), "notes: {{ include \"notes\" . | quote }}").unwrap();
        let yaml = self.template(chart.path(), values, &[]).unwrap();
        documents(&yaml)[0]["notes"].as_str().unwrap().to_owned()
    }

    fn template(&self, chart: &Path, values: &Value, more: &[&str]) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), values.to_string()).unwrap();
        let mut command = Command::new(&self.program);
        command
            .args(["template", RELEASE])
            .arg(chart)
            // Without a cluster, Helm assumes a cluster version of its own.
            .args(["--namespace", "kube-system", "--kube-version", "1.31.0", "--values"])
            .arg(file.path())
            .args(more);
        run(&mut command)
    }

    /// Like [`Self::render`], as an upgrade.
    pub(super) fn upgrade(&self, values: &Value) -> Result<Vec<Value>, String> {
        self.template(&path(CHART), values, &["--is-upgrade"]).map(|yaml| documents(&yaml))
    }
}

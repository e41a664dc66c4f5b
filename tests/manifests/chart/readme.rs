//! The chart's README, which is made of values.yaml: `cargo test -p manifest-tests write_readme -- --ignored`.

use std::fs;

use serde_json::Value;

use crate::repository::{path, text};

use super::{CHART, defaults};

const HEAD: &str = "\
# csi-secrets-store-provider-azure

akv-provider, an Azure Key Vault provider for the Kubernetes Secrets Store CSI driver. The chart has the name of
provider-azure's chart, so that `helm upgrade` swaps the provider in place. docs/install.md has each way to install it, to
swap it in, and to go back.

This file is made of values.yaml.

| value | default | meaning |
| --- | --- | --- |
";

/// A value with the comment above it, and the paths below which it is.
struct Row {
    path: String,
    meaning: String,
}

/// Returns every value that has a comment, in the order of the file.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut comment: Vec<String> = Vec::new();
    for line in text(&format!("{CHART}/values.yaml")).lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(words) = line.strip_prefix('#') {
            comment.push(words.trim().to_owned());
        } else if let Some((key, _)) = line.split_once(':').filter(|_| !line.starts_with('-')) {
            parents.retain(|(parent, _)| *parent < indent);
            parents.push((indent, key.to_owned()));
            if !comment.is_empty() {
                let keys: Vec<&str> = parents.iter().map(|(_, key)| key.as_str()).collect();
                rows.push(Row { path: keys.join("."), meaning: comment.join(" ") });
            }
            comment.clear();
        } else if line.is_empty() {
            // A comment on the whole file.
            comment.clear();
        }
    }
    rows
}

fn readme() -> String {
    let defaults = defaults();
    let rows = rows();
    assert!(rows.len() > 50, "{} values", rows.len());
    let table = rows.iter().map(|row| {
        let value = row.path.split('.').fold(&defaults, |value, key| &value[key]);
        let default = match value {
            Value::String(text) if text.is_empty() => String::new(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        format!("| `{}` | {default} | {} |\n", row.path, row.meaning.replace('|', "\\|").replace('<', "&lt;"))
    });
    HEAD.to_owned() + &table.collect::<String>()
}

#[test]
fn the_readme_is_made_of_the_values() {
    assert!(
        text(&format!("{CHART}/README.md")) == readme(),
        "run cargo test -p manifest-tests write_readme -- --ignored"
    );
}

/// A value may also be described together with its parent.
#[test]
fn every_value_is_described() {
    let described: Vec<String> = rows().into_iter().map(|row| row.path).collect();
    for (path, _) in super::leaves(&defaults()) {
        let parents = path.match_indices('.').map(|(end, _)| &path[..end]);
        let found = parents.chain([path.as_str()]).any(|path| described.iter().any(|known| known == path));
        assert!(found, "{path} has no comment");
    }
}

#[test]
#[ignore = "writes the README"]
fn write_readme() {
    fs::write(path(&format!("{CHART}/README.md")), readme()).unwrap();
}

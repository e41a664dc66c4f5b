//! Synced Secrets: their keys must name files that the class makes.

use crate::{
    spec::{
        MountSpec,
        absence::{IfAbsent, Presence},
        object::{ObjectSpec, VersionSelector},
        shape::{KeySelection, Shape},
    },
    tools::class::{Class, node::Node},
};

use super::{Finding, Rule, finding};

pub(super) fn review(class: &Class, spec: &MountSpec, findings: &mut Vec<Finding>) {
    let files: Vec<Expected> = spec.objects.iter().flat_map(expected).collect();
    let secrets = class.spec("secretObjects").map(Node::items).unwrap_or_default();
    for (index, secret) in secrets.iter().enumerate() {
        let data = secret.get("data").map(Node::items).unwrap_or_default();
        for (key, data) in data.iter().enumerate() {
            let Some(node) = data.get("objectName") else { continue };
            let Some(name) = node.scalar() else { continue };
            let path = format!("secretObjects[{index}].data[{key}].objectName");
            let mut matching = files.iter().filter(|file| file.matches(name)).peekable();
            if matching.peek().is_none() {
                let message = format!(
                    "{name} is no file of this class, so the Secret cannot be made; {}",
                    suggestion(name, &files)
                );
                findings.push(finding(Rule::NoSuchFile, class, node.span.start, path, message));
            } else if matching.all(|file| file.may_miss) {
                let message = format!(
                    "{name} may be absent, and then the Secret is not updated any more; give the object a default"
                );
                findings.push(finding(Rule::OptionalFile, class, node.span.start, path, message));
            }
        }
    }
}

/// A file, or a family of files whose names are known only after reading.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    name: Name,
    may_miss: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Name {
    Exactly(String),
    /// All files in a directory; an empty text is the volume's root.
    Within(String),
}

impl Expected {
    fn matches(&self, path: &str) -> bool {
        match &self.name {
            Name::Exactly(name) => {
                // With --write-cert-and-key-in-separate-files, a certificate's secret has two more files.
                let rest = path.strip_prefix(name.as_str());
                matches!(rest, Some("" | ".crt" | ".key"))
            }
            Name::Within(directory) if directory.is_empty() => true,
            Name::Within(directory) => {
                path.strip_prefix(directory.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }
}

fn expected(object: &ObjectSpec) -> Vec<Expected> {
    let exactly =
        |path: &dyn ToString, may_miss| Expected { name: Name::Exactly(path.to_string()), may_miss };
    match &object.shape {
        Shape::File(file) => {
            let may_miss = file.if_absent == IfAbsent::Omit;
            match object.versions {
                VersionSelector::History { .. } => {
                    vec![Expected { name: Name::Within(file.path.to_string()), may_miss }]
                }
                _ => vec![exactly(&file.path, may_miss)],
            }
        }
        Shape::Keys(keys) => match &keys.keys {
            KeySelection::All { directory, .. } => vec![Expected {
                name: Name::Within(directory.as_ref().map(ToString::to_string).unwrap_or_default()),
                may_miss: keys.presence == Presence::Optional,
            }],
            KeySelection::Listed(files) => {
                files.iter().map(|file| exactly(&file.path, file.if_absent == IfAbsent::Omit)).collect()
            }
        },
    }
}

fn suggestion(name: &str, files: &[Expected]) -> String {
    let known = files.iter().filter_map(|file| match &file.name {
        Name::Exactly(name) => Some(name.as_str()),
        Name::Within(_) => None,
    });
    match super::nearest(name, known) {
        Some(known) => format!("did you mean {known}?"),
        None => {
            "objectName must be the path of a file: objectAlias, or else objectName, of an entry".to_owned()
        }
    }
}

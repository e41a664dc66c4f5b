//! Synced Secrets: their keys must name files that the class makes.

use crate::{
    spec::{MountSpec, misspelling::nearest},
    tools::class::{
        Class,
        files::{self, Expected, Name},
        node::Node,
    },
};

use super::{Finding, Rule};

pub(super) fn review(class: &Class, spec: &MountSpec, findings: &mut Vec<Finding>) {
    let found = spec.finds.iter().map(files::of_found);
    let files: Vec<Expected> = spec.objects.iter().flat_map(files::expected).chain(found).collect();
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
                findings.push(Finding::about(class, Rule::NoSuchFile, node.span.start, path, message));
            } else if matching.all(|file| file.may_miss) {
                let message = format!(
                    "{name} may be absent, and then the Secret is not updated any more; give the object a default"
                );
                findings.push(Finding::about(class, Rule::OptionalFile, node.span.start, path, message));
            }
        }
    }
}

fn suggestion(name: &str, files: &[Expected]) -> String {
    let known = files.iter().filter_map(|file| match &file.name {
        Name::Exactly(name) => Some(name.as_str()),
        Name::Within(_) => None,
    });
    match nearest(name, known) {
        Some(known) => format!("did you mean {known}?"),
        None => {
            "objectName must be the path of a file: objectAlias, or else objectName, of an entry".to_owned()
        }
    }
}

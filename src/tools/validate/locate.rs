//! Finds the place of a parameter's path in a file, also within YAML that is a text of other YAML.

use std::rc::Rc;

use crate::tools::class::{
    Class,
    node::{Documents, Node},
    offsets::OffsetMap,
};

/// A step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// Returns the offset of `path` in `text`, the file of `class`. If a part of the path does not exist, the offset is that
/// of the nearest part that does.
pub(crate) fn offset(path: &str, class: &Class, text: &str) -> usize {
    let mut steps = steps(path).into_iter();
    let Some(Step::Field(parameter)) = steps.next() else { return class.node.span.start };
    let Some((key, _)) = parameter_of(class, parameter) else {
        let parameters = class.node.get("spec").and_then(|spec| spec.entry("parameters"));
        return parameters.map_or(class.node.span.start, |(key, _)| key.span.start);
    };
    let Some(first) = steps.next() else { return key.span.start };
    let Some(mut place) = Place::of_list(class, parameter, text) else { return key.span.start };
    for step in std::iter::once(first).chain(steps) {
        place.open();
        let next = match step {
            Step::Item(index) => place.node.items().get(index).cloned(),
            Step::Field(field) => place.node.get(field).cloned(),
        };
        let Some(next) = next else { return place.offset() };
        place.node = next;
    }
    place.offset()
}

/// Returns the entries of `objects`, opened to their fields.
pub(crate) fn entries(class: &Class, text: &str) -> Vec<Place> {
    let Some(list) = Place::of_list(class, "objects", text) else { return Vec::new() };
    let items = list.node.items().iter();
    items
        .map(|item| {
            let mut place = Place { node: item.clone(), map: list.map.clone(), text: list.text.clone() };
            place.open();
            place
        })
        .collect()
}

fn parameter_of<'a>(class: &'a Class, name: &str) -> Option<&'a (Node, Node)> {
    class.parameters().iter().find(|(key, _)| key.scalar() == Some(name))
}

/// A node, and the way from its text to the file.
#[derive(Debug)]
pub(crate) struct Place {
    /// The node.
    pub(crate) node: Node,
    map: OffsetMap,
    text: Rc<str>,
}

impl Place {
    /// Returns the list in a parameter's text, which may be below the key `array`.
    fn of_list(class: &Class, parameter: &str, text: &str) -> Option<Self> {
        let (_, value) = parameter_of(class, parameter)?;
        let mut place = Self { node: value.clone(), map: OffsetMap::identity(), text: text.into() };
        place.open();
        if let Some(list) = place.node.get("array").cloned() {
            place.node = list;
        }
        Some(place)
    }

    /// Returns the place in the file of a node in the same text.
    pub(crate) fn offset_of(&self, node: &Node) -> usize {
        self.map.source(node.span.start)
    }

    /// Replaces a scalar by the YAML in its value, if it is YAML.
    fn open(&mut self) {
        let Some(value) = self.node.scalar() else { return };
        let Some(Ok(inner)) = Documents::of(value).next() else { return };
        let map = OffsetMap::of(&self.node, &self.text).within(&self.map);
        *self = Self { map, text: value.into(), node: inner };
    }

    fn offset(&self) -> usize {
        self.offset_of(&self.node)
    }
}

/// Returns the steps of a path such as `objects[2].outputs[1].format (web)`.
fn steps(path: &str) -> Vec<Step<'_>> {
    let path = path.split(" (").next().unwrap_or_default();
    let mut steps = Vec::new();
    // A parameter's own name may have dots: that of the pod's name does.
    let parts: Vec<&str> = if path.contains('/') { vec![path] } else { path.split('.').collect() };
    for part in parts {
        let (name, indices) = part.split_once('[').unwrap_or((part, ""));
        if !name.is_empty() {
            steps.push(Step::Field(name));
        }
        steps.extend(
            indices.split('[').filter_map(|index| index.trim_end_matches(']').parse().ok()).map(Step::Item),
        );
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
apiVersion: secrets-store.csi.x-k8s.io/v1
kind: SecretProviderClass
metadata: {name: web}
spec:
  provider: azure
  parameters:
    keyvaultName: "lab"
    objects: |
      # the objects
      array:
        - |
          objectName: one
          objectType: secret
        - objectName: two
          outputs:
            - content: key
              objectAlias: a.key
            - {content: leaf, format: der}
        - "objectName: three\nobjectType: cert\n"
"#;

    fn at(path: &str) -> &'static str {
        let document = Documents::of(FILE).next().unwrap().unwrap();
        let [class] = &Class::all_of(document)[..] else { panic!() };
        let rest = &FILE[offset(path, class, FILE)..];
        rest.lines().next().unwrap()
    }

    #[test]
    fn paths_lead_into_yaml_within_yaml() {
        for (path, expected) in [
            ("keyvaultName", "keyvaultName: \"lab\""),
            ("tenantID", "parameters:"),
            ("objects", "objects: |"),
            ("objects[0].objectType (one)", "secret"),
            ("objects[0] (one)", "objectName: one"),
            ("objects[1].objectName", "two"),
            ("objects[1].outputs[1].format (two)", "der}"),
            ("objects[1].outputs[0].objectAlias", "a.key"),
            ("objects[1].outputs[7].format", "- content: key"),
            ("objects[1].objectType", "objectName: two"),
            ("objects[2].objectType (three)", "cert\\n\""),
            ("csi.storage.k8s.io/pod.name", "parameters:"),
            ("", "apiVersion: secrets-store.csi.x-k8s.io/v1"),
        ] {
            assert!(at(path).starts_with(expected) || at(path) == expected, "{path}: {:?}", at(path));
        }
    }
}

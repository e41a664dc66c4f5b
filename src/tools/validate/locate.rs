//! Finds the place of a parameter's path in a file, also within YAML that is a text of other YAML.

use std::{cell::OnceCell, rc::Rc, sync::Arc};

use crate::tools::class::{
    Class,
    node::{Documents, Node},
    offsets::OffsetMap,
    source::Source,
};

/// A step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// A finder of places in the parameters of one class.
#[derive(Debug)]
pub(crate) struct Locator<'a> {
    class: &'a Class,
    file: Text,
    /// The parameter `objects`. It is parsed once, since a class can have thousands of findings about it.
    objects: OnceCell<Option<Objects>>,
}

/// The entries of `objects`.
#[derive(Debug)]
struct Objects {
    list: Place,
    /// The items of the list, opened to their fields.
    entries: Vec<Place>,
}

impl<'a> Locator<'a> {
    /// Creates a locator for a class and its file.
    pub(crate) fn of(class: &'a Class, source: &Source) -> Self {
        Self { class, file: Text::of_file(&source.text), objects: OnceCell::new() }
    }

    /// Returns the offset of `path` in the file. If a part of the path does not exist, the offset is that of the nearest
    /// part that does.
    pub(crate) fn offset(&self, path: &str) -> usize {
        let begin = self.class.node.span.start;
        let steps = steps(path);
        let Some((Step::Field(parameter), rest)) = steps.split_first() else { return begin };
        let Some((key, value)) = self.parameter(parameter) else {
            let parameters = self.class.node.get("spec").and_then(|spec| spec.entry("parameters"));
            return parameters.map_or(begin, |(key, _)| key.span.start);
        };
        if rest.is_empty() {
            return key.span.start;
        }
        match self.objects().filter(|_| *parameter == OBJECTS) {
            Some(objects) => objects.offset_of_part(rest),
            None => self.file.list(value).offset_of_part(rest),
        }
    }

    /// Returns the entries of `objects`, opened to their fields.
    pub(crate) fn entries(&self) -> &[Place] {
        self.objects().map(|objects| &objects.entries[..]).unwrap_or_default()
    }

    fn objects(&self) -> Option<&Objects> {
        let open = || {
            let (_, value) = self.parameter(OBJECTS)?;
            let list = self.file.list(value);
            let entries = list.node.items().iter().map(|item| list.text.opened(item)).collect();
            Some(Objects { list, entries })
        };
        self.objects.get_or_init(open).as_ref()
    }

    fn parameter(&self, name: &str) -> Option<&'a (Node, Node)> {
        self.class.parameters().iter().find(|(key, _)| key.scalar() == Some(name))
    }
}

/// The parameter with the entries.
const OBJECTS: &str = "objects";

impl Objects {
    fn offset_of_part(&self, steps: &[Step<'_>]) -> usize {
        if let [Step::Item(index), rest @ ..] = steps
            && !rest.is_empty()
            && let Some(entry) = self.entries.get(*index)
        {
            return entry.offset_of_part(rest);
        }
        self.list.offset_of_part(steps)
    }
}

/// A text, and the way from it to the file.
#[derive(Debug, Clone)]
struct Text {
    text: Arc<str>,
    map: Rc<OffsetMap>,
}

impl Text {
    fn of_file(text: &Arc<str>) -> Self {
        Self { text: Arc::clone(text), map: Rc::new(OffsetMap::identity()) }
    }

    /// Returns the list in a parameter's value, which may be below the key `array`.
    fn list(&self, value: &Node) -> Place {
        let place = self.opened(value);
        place.node.get("array").map(|list| place.text.opened(list)).unwrap_or(place)
    }

    /// Returns the YAML in the value of `node`, or `node` itself if it is no text of YAML.
    fn opened(&self, node: &Node) -> Place {
        self.inner(node).unwrap_or_else(|| Place { node: node.clone(), text: self.clone() })
    }

    fn inner(&self, node: &Node) -> Option<Place> {
        let value = node.scalar()?;
        let inner = Documents::of(value).next()?.ok()?;
        let map = OffsetMap::of(node, &self.text).within(&self.map);
        Some(Place { node: inner, text: Self { text: value.into(), map: Rc::new(map) } })
    }
}

/// A node, and the text that it is in.
#[derive(Debug)]
pub(crate) struct Place {
    /// The node.
    pub(crate) node: Node,
    text: Text,
}

impl Place {
    /// Returns the place in the file of a node in the same text.
    pub(crate) fn offset_of(&self, node: &Node) -> usize {
        self.text.map.source(node.span.start)
    }

    /// Returns the place in the file of the part that the steps lead to, or of the nearest part that exists.
    fn offset_of_part(&self, steps: &[Step<'_>]) -> usize {
        let mut node = &self.node;
        for (index, step) in steps.iter().enumerate() {
            let next = match step {
                Step::Item(index) => node.items().get(*index),
                Step::Field(field) => node.get(field),
            };
            let Some(next) = next else { return self.offset_of(node) };
            let rest = &steps[index + 1..];
            if !rest.is_empty()
                && let Some(inner) = self.text.inner(next)
            {
                return inner.offset_of_part(rest);
            }
            node = next;
        }
        self.offset_of(node)
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

    #[test]
    fn paths_lead_into_yaml_within_yaml() {
        let source = Source::new("a".to_owned(), FILE.to_owned());
        let document = Documents::of(FILE).next().unwrap().unwrap();
        let [class] = &Class::all_of(document)[..] else { panic!() };
        let locator = Locator::of(class, &source);
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
            let found = &FILE[locator.offset(path)..];
            assert!(found.starts_with(expected), "{path}: {found:?}");
        }
        let names = locator.entries().iter().map(|entry| {
            let name = entry.node.get("objectName").unwrap();
            assert!(FILE[entry.offset_of(name)..].starts_with(name.scalar().unwrap()));
            name.scalar().unwrap()
        });
        assert_eq!(names.collect::<Vec<_>>(), ["one", "two", "three"]);
    }
}

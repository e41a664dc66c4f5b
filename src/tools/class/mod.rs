//! SecretProviderClasses in YAML, with the places of their parts.

pub(crate) mod files;
pub(crate) mod node;
pub(crate) mod offsets;
pub(crate) mod source;

use self::node::Node;

/// A SecretProviderClass in a document, not yet checked.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    /// The whole object.
    pub(crate) node: Node,
}

impl Class {
    /// Returns the classes of a document: the document itself, or items of a list as kubectl prints it.
    pub(crate) fn all_of(document: Node) -> Vec<Self> {
        let kind = document.get("kind").and_then(Node::scalar).unwrap_or_default();
        if kind == "SecretProviderClass" && is_of_driver(&document) {
            return vec![Self { node: document }];
        }
        if !kind.ends_with("List") {
            return Vec::new();
        }
        let items = document.get("items").map(Node::items).unwrap_or_default();
        items.iter().cloned().flat_map(Self::all_of).collect()
    }

    /// Returns `metadata.name`.
    pub(crate) fn name(&self) -> Option<&str> {
        self.metadata("name")
    }

    /// Returns `metadata.namespace`.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.metadata("namespace")
    }

    /// Returns `spec.provider`.
    pub(crate) fn provider(&self) -> Option<&str> {
        self.spec("provider").and_then(Node::scalar)
    }

    /// Returns the entries of `spec.parameters`.
    pub(crate) fn parameters(&self) -> &[(Node, Node)] {
        self.spec("parameters").map(Node::entries).unwrap_or_default()
    }

    /// Returns a field of `spec`.
    pub(crate) fn spec(&self, field: &str) -> Option<&Node> {
        self.node.get("spec")?.get(field)
    }

    fn metadata(&self, field: &str) -> Option<&str> {
        self.node.get("metadata")?.get(field)?.scalar()
    }
}

fn is_of_driver(document: &Node) -> bool {
    let version = document.get("apiVersion").and_then(Node::scalar).unwrap_or_default();
    version.starts_with("secrets-store.csi.x-k8s.io/")
}

#[cfg(test)]
mod tests {
    use super::{node::Documents, *};

    fn classes(text: &str) -> Vec<Class> {
        Documents::of(text).flat_map(|document| Class::all_of(document.unwrap())).collect()
    }

    #[test]
    fn classes_are_found_in_streams_and_lists() {
        let class = |name: &str| {
            format!(
                "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {{name: {name}, namespace: web}}\n\
                 spec: {{provider: azure, parameters: {{keyvaultName: lab}}}}\n"
            )
        };
        let stream = format!("# Source: a.yaml\n{}---\nkind: Pod\n---\n{}", class("one"), class("two"));
        let names: Vec<_> = classes(&stream).iter().map(|class| class.name().unwrap().to_owned()).collect();
        assert_eq!(names, ["one", "two"]);
        let items = class("three").replace('\n', "\n  ");
        let list = format!("apiVersion: v1\nkind: List\nitems:\n- {items}\n");
        let [three] = &classes(&list)[..] else { panic!("{list}") };
        assert_eq!((three.provider(), three.namespace()), (Some("azure"), Some("web")));
        assert_eq!(three.parameters().len(), 1);
    }

    #[test]
    fn objects_of_other_kinds_are_no_classes() {
        for text in ["a", "[1]", "kind: SecretProviderClass", "kind: List\nitems: 3", "kind: ConfigMap"] {
            assert_eq!(classes(text).len(), 0, "{text}");
        }
    }
}

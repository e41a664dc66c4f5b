//! SecretProviderClasses in YAML, with the places of their parts.

pub(crate) mod files;
mod merge;
pub(crate) mod node;
pub(crate) mod offsets;
pub(crate) mod source;

use std::fmt;

use crate::text::one_line;

use self::node::{Content, Node};

/// The API group of the driver's classes.
pub(crate) const GROUP: &str = "secrets-store.csi.x-k8s.io";

/// A SecretProviderClass in a document, not yet checked.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    /// The whole object, as the API server would keep it: its own merge keys are expanded, and parameters that are null
    /// are absent.
    pub(crate) node: Node,
}

impl Class {
    /// Returns the classes of a document: the document itself, or items of a list as kubectl prints it.
    pub(crate) fn all_of(document: Node) -> Vec<Self> {
        let mut classes = Self::of_any_group(document);
        classes.retain(Self::is_of_driver);
        classes
    }

    /// Returns the classes of a document, and the objects of kind SecretProviderClass that the driver does not read.
    pub(crate) fn of_any_group(mut document: Node) -> Vec<Self> {
        merge::expand(&mut document);
        let kind = document.get("kind").and_then(Node::scalar).unwrap_or_default();
        if kind == "SecretProviderClass" {
            return vec![Self::of(document)];
        }
        if !kind.ends_with("List") {
            return Vec::new();
        }
        let items = document.get("items").map(Node::items).unwrap_or_default();
        items.iter().cloned().flat_map(Self::of_any_group).collect()
    }

    /// Creates the class of an object whose merge keys are expanded at the top.
    fn of(mut node: Node) -> Self {
        for field in ["metadata", "spec"] {
            if let Some(part) = node.get_mut(field) {
                merge::expand(part);
            }
        }
        if let Some(parameters) = node.get_mut("spec").and_then(|spec| spec.get_mut("parameters")) {
            merge::expand(parameters);
            if let Content::Map(entries) = &mut parameters.content {
                // The API server drops each null that the schema does not allow
                // (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#defaulting-and-nullable>).
                entries.retain(|(_, value)| !value.is_null());
            }
        }
        Self { node }
    }

    /// Returns whether the object is of the driver's API group.
    pub(crate) fn is_of_driver(&self) -> bool {
        let version = self.node.get("apiVersion").and_then(Node::scalar).unwrap_or_default();
        version.strip_prefix(GROUP).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Returns namespace and name.
    pub(crate) fn qualified_name(&self) -> ClassName {
        ClassName { namespace: self.namespace().map(str::to_owned), name: self.name().map(str::to_owned) }
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

/// The namespace and the name of a class, as far as its object has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClassName {
    /// `metadata.namespace`
    pub(crate) namespace: Option<String>,
    /// `metadata.name`
    pub(crate) name: Option<String>,
}

impl fmt::Display for ClassName {
    /// Writes `shop/web`, or `web` without a namespace; on one line, since nothing has checked the names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{}/", one_line(namespace, MAX_NAME))?;
        }
        f.write_str(&one_line(self.name.as_deref().unwrap_or("(unnamed)"), MAX_NAME))
    }
}

/// The longest name that Kubernetes accepts, in characters
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>).
const MAX_NAME: usize = 253;

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
    fn a_class_has_what_its_merge_keys_stand_for() {
        let text = format!(
            "all: &all {{apiVersion: {GROUP}/v1, kind: SecretProviderClass}}\nmeta: &meta {{name: web, namespace: shop}}\n\
             other: &other {{provider: azure}}\ncommon: &common {{keyvaultName: lab, clientID: app}}\n<<: *all\n\
             metadata: {{<<: *meta, name: own}}\nspec: {{<<: *other, parameters: {{<<: *common, clientID: own, objects: ''}}}}\n"
        );
        let [class] = &classes(&text)[..] else { panic!("{text}") };
        assert_eq!(
            (class.qualified_name().to_string().as_str(), class.provider()),
            ("shop/own", Some("azure"))
        );
        let mut parameters: Vec<(&str, &str)> = class
            .parameters()
            .iter()
            .filter_map(|(key, value)| Some((key.scalar()?, value.scalar()?)))
            .collect();
        parameters.sort_unstable();
        assert_eq!(parameters, [("clientID", "own"), ("keyvaultName", "lab"), ("objects", "")]);
    }

    #[test]
    fn a_parameter_that_is_null_is_absent() {
        let text = format!(
            "apiVersion: {GROUP}/v1\nkind: SecretProviderClass\ncommon: &common {{cloudName: x, tenantID: x}}\n\
             spec: {{parameters: {{a: , b: ~, c: null, d: 'null', e: '', cloudName: , <<: *common}}}}\n"
        );
        let [class] = &classes(&text)[..] else { panic!("{text}") };
        let keys: Vec<&str> = class.parameters().iter().filter_map(|(key, _)| key.scalar()).collect();
        assert_eq!(keys, ["d", "e", "tenantID"]);
    }

    #[test]
    fn names_have_their_namespace_and_fit_on_one_line() {
        for (metadata, expected) in [
            ("{name: web, namespace: shop}", "shop/web"),
            ("{name: web}", "web"),
            ("{namespace: shop}", "shop/(unnamed)"),
            ("{name: \"web\\n\\e[31m\", namespace: shop}", "shop/web [31m"),
        ] {
            let text = format!("apiVersion: {GROUP}/v1\nkind: SecretProviderClass\nmetadata: {metadata}\n");
            let [class] = &classes(&text)[..] else { panic!("{text}") };
            assert_eq!(class.qualified_name().to_string(), expected);
        }
    }

    #[test]
    fn objects_of_other_kinds_are_no_classes() {
        for text in ["a", "[1]", "kind: SecretProviderClass", "kind: List\nitems: 3", "kind: ConfigMap"] {
            assert_eq!(classes(text).len(), 0, "{text}");
        }
    }
}

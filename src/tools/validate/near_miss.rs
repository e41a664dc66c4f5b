//! Classes that are not of the provider, though their author probably means them to be.

use crate::{
    spec::excerpt::Excerpt,
    tools::class::{Class, GROUP, node::Node},
};

use super::finding::{Finding, Rule};

/// Returns why a class was not checked as one of `provider`; nothing if it is of another provider.
pub(super) fn review(class: &Class, provider: &str) -> Vec<Finding> {
    let node = class.spec("provider");
    let name =
        node.filter(|node| node.is_text()).and_then(Node::scalar).filter(|name| !name.trim().is_empty());
    if name.is_some_and(|name| !name.trim().eq_ignore_ascii_case(provider)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut add = |rule, node: Option<&Node>, path: &str, message: String| {
        let offset = node.map_or(class.node.span.start, |node| node.span.start);
        findings.push(Finding::about(class, rule, offset, path, message));
    };
    if !class.is_of_driver() {
        let version = class.node.get("apiVersion");
        let message = match version.and_then(Node::scalar) {
            Some(text) => format!("{} is not a version of {GROUP}", Excerpt::of(text)),
            None => "is not set".to_owned(),
        };
        add(Rule::UnknownGroup, version, "apiVersion", format!("{message}{NOT_CHECKED}; use {GROUP}/v1"));
    }
    if name != Some(provider) {
        let is_other_type = node.is_some_and(|node| !node.is_text() && !node.is_null());
        let message = match name {
            Some(name) => format!("{} is not {provider}", Excerpt::of(name)),
            None if is_other_type => "is not a text".to_owned(),
            None => "is not set".to_owned(),
        };
        add(Rule::UnknownProvider, node, "spec.provider", format!("{message}{NOT_CHECKED}; use {provider}"));
    }
    findings
}

/// The consequence that all findings share.
const NOT_CHECKED: &str = ", so the class was not checked";

#[cfg(test)]
mod tests {
    use crate::tools::class::node::Documents;

    use super::*;

    #[test]
    fn classes_that_are_nearly_of_the_provider_are_found() {
        const NONE: &[(&str, &str)] = &[];
        let group = "secrets-store.csi.x-k8s.io/v1";
        for (version, spec, expected) in [
            (group, "{provider: vault}", NONE),
            ("secret-store.csi.x-k8s.io/v1", "{provider: vault}", NONE),
            (group, "{provider: Azure}", &[("spec.provider", "\"Azure\" is not azure")]),
            (group, "{provider: 'azure '}", &[("spec.provider", "\"azure \" is not azure")]),
            (group, "{provider: }", &[("spec.provider", "is not set")]),
            (group, "{provider: ' '}", &[("spec.provider", "is not set")]),
            (group, "{provider: null}", &[("spec.provider", "is not set")]),
            (group, "{provider: 3}", &[("spec.provider", "is not a text")]),
            (group, "{provider: true}", &[("spec.provider", "is not a text")]),
            (group, "{provider: [azure]}", &[("spec.provider", "is not a text")]),
            (group, "{provider: {azure: }}", &[("spec.provider", "is not a text")]),
            (group, "{provider: ''}", &[("spec.provider", "is not set")]),
            (group, "{parameters: {}}", &[("spec.provider", "is not set")]),
            (group, "3", &[("spec.provider", "is not set")]),
            (
                "secret-store.csi.x-k8s.io/v1",
                "{provider: azure}",
                &[(
                    "apiVersion",
                    "\"secret-store.csi.x-k8s.io/v1\" is not a version of secrets-store.csi.x-k8s.io",
                )],
            ),
            (
                GROUP,
                "{provider: azure}",
                &[(
                    "apiVersion",
                    "\"secrets-store.csi.x-k8s.io\" is not a version of secrets-store.csi.x-k8s.io",
                )],
            ),
            (
                "[]",
                "{provider: AZURE}",
                &[("apiVersion", "is not set"), ("spec.provider", "\"AZURE\" is not azure")],
            ),
        ] {
            let text = format!("apiVersion: {version}\nkind: SecretProviderClass\nspec: {spec}\n");
            let document = Documents::of(&text).next().unwrap().unwrap();
            let [class] = &Class::of_any_group(document)[..] else { panic!("{text}") };
            let found = review(class, "azure");
            let found: Vec<(&str, &str)> = found
                .iter()
                .map(|finding| (&finding.path[..], finding.message.split(NOT_CHECKED).next().unwrap()))
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}

//! Checks one class as the provider would.

use serde_json::{Map, Value, json};

use crate::{
    parameters::{self, Fault, MountTexts, ParametersError},
    spec::MountSpec,
    tools::class::{Class, node::Content},
};

use super::{
    finding::{Finding, Rule},
    locate::Locator,
};

/// A class as the API server and the provider see it.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The provider's reading of the parameters, where it accepts them as texts.
    pub(crate) spec: Option<MountSpec>,
    /// The mistakes. A class with a spec has some if a parameter is not a text.
    pub(crate) errors: Vec<Finding>,
}

/// Checks a class. A parameter that is not a text is a mistake, and then counts as the text that it would be in quotes: so
/// it hides no other mistake.
///
/// A pod's token and the Secret of nodePublishSecretRef are not part of a class. So a class is as good as it can be with
/// both of them.
pub(crate) fn check(class: &Class, locator: &Locator<'_>) -> Checked {
    let mut errors = not_texts(class);
    let attributes = attributes(class);
    let with_secret = json!({ "clientid": ANY_ID, "clientsecret": "any" }).to_string();
    // A class that needs a Secret is wrong with a Secret only in ways that are the class's own.
    let attempts = ["{}", with_secret.as_str()]
        .map(|secrets| parameters::parse(MountTexts { attributes: &attributes, secrets, permission: "420" }));
    let [without, with] = attempts;
    let spec = match (without, with) {
        (Ok(spec), _) | (Err(_), Ok(spec)) => Some(spec),
        (Err(without), Err(with)) => {
            let error = if without.fault() == Fault::Request { without } else { with };
            errors.extend(findings(&error, class, locator));
            None
        }
    };
    Checked { spec, errors }
}

/// Any client id: only its form matters here.
const ANY_ID: &str = "00000000-0000-0000-0000-000000000001";

fn findings(error: &ParametersError, class: &Class, locator: &Locator<'_>) -> Vec<Finding> {
    let of_class = error.problems().iter().filter(|problem| problem.fault == Fault::Request);
    of_class
        .map(|problem| {
            let offset = locator.offset(&problem.field);
            Finding::about(class, Rule::BadParameters, offset, &problem.field, &problem.reason)
        })
        .collect()
}

fn not_texts(class: &Class) -> Vec<Finding> {
    let wrong = class.parameters().iter().filter(|(_, value)| !value.is_text());
    wrong
        .map(|(key, value)| {
            let action = match value.content {
                Content::Scalar { .. } => "put it in quotes",
                Content::List(_) | Content::Map(_) => "write its YAML as a text, in quotes or below |",
            };
            let message = format!("is not a text, so the API server refuses the class; {action}");
            let path = key.scalar().unwrap_or_default();
            Finding::about(class, Rule::NotText, value.span.start, path, message)
        })
        .collect()
}

/// Returns the class's parameters as texts, with those that the driver adds for a pod.
fn attributes(class: &Class) -> String {
    let mut attributes: Map<String, Value> = class
        .parameters()
        .iter()
        .filter_map(|(key, value)| Some((key.scalar()?.to_owned(), Value::from(value.to_text()))))
        .collect();
    let token = json!({ "token": "any" });
    let tokens = json!({ "api://AzureADTokenExchange": token, "api://AKSIdentityBinding": token });
    for (key, value) in [
        ("csi.storage.k8s.io/pod.name", "any"),
        ("csi.storage.k8s.io/pod.namespace", "any"),
        ("csi.storage.k8s.io/pod.uid", ANY_ID),
        ("csi.storage.k8s.io/serviceAccount.name", "any"),
        ("csi.storage.k8s.io/serviceAccount.tokens", tokens.to_string().as_str()),
    ] {
        attributes.insert(key.to_owned(), value.into());
    }
    Value::Object(attributes).to_string()
}

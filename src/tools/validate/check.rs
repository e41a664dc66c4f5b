//! Checks one class as the provider would.

use serde_json::{Map, Value, json};

use crate::{
    parameters::{self, Fault, MountTexts, ParametersError},
    spec::MountSpec,
    tools::class::{Class, source::Source},
};

use super::{
    finding::{Finding, Rule},
    locate,
};

/// Returns what the provider says of a class: its spec, or the findings.
///
/// A pod's token and the Secret of nodePublishSecretRef are not part of a class. So a class is as good as it can be with
/// both of them.
pub(crate) fn check(class: &Class, source: &Source) -> Result<MountSpec, Vec<Finding>> {
    let not_texts = not_texts(class);
    if !not_texts.is_empty() {
        return Err(not_texts);
    }
    let attributes = attributes(class);
    let with_secret = json!({ "clientid": ANY_ID, "clientsecret": "any" }).to_string();
    // A class that needs a Secret is wrong with a Secret only in ways that are the class's own.
    let attempts = ["{}", with_secret.as_str()]
        .map(|secrets| parameters::parse(MountTexts { attributes: &attributes, secrets, permission: "420" }));
    let [without, with] = attempts;
    match (without, with) {
        (Ok(spec), _) | (Err(_), Ok(spec)) => Ok(spec),
        (Err(without), Err(with)) => {
            let error = if without.fault() == Fault::Request { without } else { with };
            Err(findings(&error, class, source))
        }
    }
}

/// Any client id: only its form matters here.
const ANY_ID: &str = "00000000-0000-0000-0000-000000000001";

fn findings(error: &ParametersError, class: &Class, source: &Source) -> Vec<Finding> {
    let of_class = error.problems().iter().filter(|problem| problem.fault == Fault::Request);
    of_class
        .map(|problem| Finding {
            rule: Rule::BadParameters,
            offset: locate::offset(&problem.field, class, &source.text),
            class: class.name().map(str::to_owned),
            path: problem.field.clone(),
            message: problem.reason.clone(),
        })
        .collect()
}

fn not_texts(class: &Class) -> Vec<Finding> {
    let wrong = class.parameters().iter().filter(|(_, value)| !value.is_text());
    wrong
        .map(|(key, value)| Finding {
            rule: Rule::NotText,
            offset: value.span.start,
            class: class.name().map(str::to_owned),
            path: key.scalar().unwrap_or_default().to_owned(),
            message: "is not a text, so the API server refuses the class; put it in quotes".to_owned(),
        })
        .collect()
}

/// Returns the class's parameters with those that the driver adds for a pod.
fn attributes(class: &Class) -> String {
    let mut attributes: Map<String, Value> = class
        .parameters()
        .iter()
        .filter_map(|(key, value)| Some((key.scalar()?.to_owned(), Value::from(value.scalar()?))))
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

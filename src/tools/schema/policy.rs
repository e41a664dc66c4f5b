//! A ValidatingAdmissionPolicy, for the API server.
//!
//! CEL cannot read the YAML in `objects`, so the policy checks the parameters around it.
//! <https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/>

use std::fmt::Write as _;

use super::forms::{BOOLEAN, NOT_BLANK, VAULT};

/// A condition that a class must meet.
struct Rule {
    /// In CEL. `p` is the map of parameters.
    expression: String,
    /// What a user reads.
    message: String,
}

const TRUE: &str = r"^\s*(1|t|T|true|TRUE|True)\s*$";
const GUID: &str = r"^\s*[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\s*$";
const TENANT: &str = r"^\s*[A-Za-z0-9.-]{1,253}\s*$";
const CLOUD: &str = r"(?i)^\s*((azurepublic|azureusgovernment|azuregovernment|azurechina|azuregerman|azuregermany|azurestack)(cloud)?|azurecloud)?\s*$";

/// The parameters that choose an identity mode.
const MODES: [&str; 3] = ["usePodIdentity", "useVMManagedIdentity", "useAzureTokenProxy"];

fn rules() -> Vec<Rule> {
    let p = "variables.p";
    let mut rules = vec![
        Rule {
            expression: format!("'keyvaultName' in {p} && {p}['keyvaultName'].matches({})", quoted(VAULT)),
            message: "keyvaultName must be 3 to 24 letters, digits and dashes, with no dash at either end"
                .to_owned(),
        },
        Rule {
            expression: format!("'objects' in {p} && {p}['objects'].matches({})", quoted(NOT_BLANK)),
            message: "objects must not be blank".to_owned(),
        },
    ];
    for mode in MODES {
        rules.push(Rule {
            expression: format!("!('{mode}' in {p}) || {p}['{mode}'].matches({})", quoted(BOOLEAN)),
            message: format!("{mode} must be true or false"),
        });
    }
    let chosen = |mode: &str| format!("('{mode}' in {p} && {p}['{mode}'].matches({}))", quoted(TRUE));
    let count: Vec<String> = MODES.iter().map(|mode| format!("({} ? 1 : 0)", chosen(mode))).collect();
    rules.push(Rule {
        expression: format!("{} <= 1", count.join(" + ")),
        message: format!("only one of {} can be true", MODES.join(", ")),
    });
    rules.push(Rule {
        expression: format!("!('cloudName' in {p}) || {p}['cloudName'].matches({})", quoted(CLOUD)),
        message: "cloudName must be the name of an Azure cloud, such as AzurePublicCloud".to_owned(),
    });
    // The node knows the tenant and the client of its own identities, so nothing reads these parameters then.
    let node = format!("{} || {}", chosen("usePodIdentity"), chosen("useVMManagedIdentity"));
    rules.push(Rule {
        expression: format!(
            "{node} || !('clientID' in {p}) || !{p}['clientID'].matches({}) || {p}['clientID'].matches({})",
            quoted(NOT_BLANK),
            quoted(GUID)
        ),
        message: "clientID must be a GUID".to_owned(),
    });
    rules.push(Rule {
        expression: format!(
            "{node} || !('tenantID' in {p}) || !{p}['tenantID'].matches({}) || {p}['tenantID'].matches({})",
            quoted(NOT_BLANK),
            quoted(TENANT)
        ),
        message: "tenantID must be a GUID or a domain name".to_owned(),
    });
    rules
}

/// Returns a raw string of CEL.
fn quoted(pattern: &str) -> String {
    format!("r'{pattern}'")
}

/// Returns the policy and its binding, as a stream of YAML.
pub(super) fn yaml(provider: &str) -> String {
    let name = format!("akv-provider-{}", provider.to_lowercase().replace('_', "-"));
    let mut text = format!(
        "apiVersion: admissionregistration.k8s.io/v1\n\
         kind: ValidatingAdmissionPolicy\n\
         metadata:\n  name: {name}\n\
         spec:\n  failurePolicy: Ignore\n  matchConstraints:\n    resourceRules:\n      \
         - apiGroups: [secrets-store.csi.x-k8s.io]\n        apiVersions: [\"*\"]\n        \
         operations: [CREATE, UPDATE]\n        resources: [secretproviderclasses]\n  \
         matchConditions:\n    - name: provider\n      expression: {}\n  \
         variables:\n    - name: p\n      expression: {}\n  validations:\n",
        scalar(&format!("has(object.spec.provider) && object.spec.provider == '{provider}'")),
        scalar("has(object.spec.parameters) ? object.spec.parameters : {}"),
    );
    for rule in rules() {
        let _ = writeln!(text, "    - expression: {}", scalar(&rule.expression));
        let _ = writeln!(text, "      message: {}", scalar(&rule.message));
    }
    let _ = write!(
        text,
        "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata:\n  \
         name: {name}\nspec:\n  policyName: {name}\n  validationActions: [Deny]\n"
    );
    text
}

/// Returns a text as a quoted scalar, which is JSON as well as YAML.
fn scalar(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

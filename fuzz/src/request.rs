//! Requests of the driver, and files of an operator.

use std::{collections::BTreeMap, path::Path};

use akv_provider::{
    cloud::CloudEnvironment,
    parameters::{self, MountTexts, ParametersError},
    server::deadline,
    spec::{
        MountSpec,
        cloud::CloudName,
        find::{Candidate, FindSpec},
        match_steps::MatchSteps,
        rewrite::NotRewritten,
    },
};
use serde_json::json;

/// Attributes, secrets and permission of a request, with a NUL between them.
pub fn attributes(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.split('\0');
    let mut next = |default| parts.next().unwrap_or(default);
    let texts = MountTexts { attributes: next("{}"), secrets: next("null"), permission: next("420") };
    check(parameters::parse(texts), input.len());
}

/// The `objects` of an otherwise valid request.
pub fn objects(input: &[u8]) {
    with_attribute(input, "objects");
}

/// The service-account tokens of an otherwise valid request.
pub fn tokens(input: &[u8]) {
    with_attribute(input, "csi.storage.k8s.io/serviceAccount.tokens");
}

fn with_attribute(input: &[u8], key: &str) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut attributes = json!({
        "csi.storage.k8s.io/pod.name": "web-0",
        "csi.storage.k8s.io/pod.namespace": "shop",
        "csi.storage.k8s.io/serviceAccount.tokens": r#"{"api://AzureADTokenExchange":{"token":"t"}}"#,
        "keyvaultName": "lab",
        "tenantId": "11111111-2222-3333-4444-555555555555",
        "clientID": "cccccccc-0000-0000-0000-000000000002",
        "objects": "- {objectName: a, objectType: secret}",
    });
    attributes[key] = text.into();
    let texts = MountTexts { attributes: &attributes.to_string(), secrets: "null", permission: "420" };
    check(parameters::parse(texts), input.len());
}

/// Compares names with the conditions, and makes paths of them.
fn check_find(find: &FindSpec) {
    let tags = BTreeMap::new();
    for name in ["a", "shop-db", "A-1-b-2-c-3"] {
        let candidate = Candidate { name, tags: &tags, content_type: Some("text/plain"), is_managed: false };
        let mut steps = MatchSteps::of_mount();
        let _ = find.conditions.admit(candidate, &mut steps);
        match find.object(name.parse().expect("the name is valid"), &mut steps) {
            Ok(object) => {
                assert!(object.shape.named_paths().iter().all(|path| !path.as_str().contains("..")))
            }
            Err(NotRewritten::NoPath { name, .. }) => {
                assert!(name.len() < 1 << 20, "{} bytes", name.len());
            }
            Err(NotRewritten::TooManySteps) => {}
        }
    }
}

fn check(parsed: Result<MountSpec, ParametersError>, length: usize) {
    match parsed {
        Ok(spec) => {
            assert!(!(spec.objects.is_empty() && spec.finds.is_empty()));
            for find in &*spec.finds {
                check_find(find);
            }
            let _ = CloudEnvironment::named(CloudName::Public).vault(&spec.vault).url;
        }
        Err(error) => {
            assert!(!error.problems().is_empty());
            let message = error.to_string();
            assert!(message.len() < 2_000 + 200 * length, "{} bytes of {length}", message.len());
            assert!(!message.contains(['\n', '\u{1b}']), "{message:?}");
        }
    }
}

/// A cloud environment file, and every kind of vault name in such a cloud.
pub fn cloud_file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(cloud) = CloudEnvironment::parse(Path::new("cloud.json"), text) {
        for name in ["lab", "1--1", "0x7f", "127", "a--b"] {
            let url = cloud.vault(&name.parse().expect("a vault name")).url;
            assert!(url.host_str().is_some_and(|host| host.starts_with(&format!("{name}."))), "{url}");
        }
    }
}

/// The header with a caller's deadline.
pub fn grpc_timeout(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Some(timeout) = deadline::parse(text) {
        assert!(timeout.as_secs() <= 99_999_999 * 3600, "{timeout:?}");
        let (digits, unit) = text.split_at(text.len() - 1);
        let count: u64 = digits.parse().expect("a number");
        let of_a_unit = deadline::parse(&format!("1{unit}")).expect("the same unit");
        assert_eq!(timeout.as_nanos(), of_a_unit.as_nanos() * u128::from(count));
    }
}

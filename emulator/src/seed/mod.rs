//! Seeds: directory and vaults in a YAML file that people write.

mod document;
mod identities;
mod objects;

use thiserror::Error;

use self::document::Document;
use crate::{
    directory::Directory,
    fixtures::FixtureError,
    vault::{ObjectKind, VaultSet},
};

/// The initial state of an emulator.
#[derive(Clone, Debug)]
pub struct Seed {
    /// Identities and roles; those of the conformance cases if the seed names none.
    pub directory: Directory,
    /// The vaults and their objects.
    pub vaults: VaultSet,
}

/// The seed is invalid.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The text is not a seed in YAML; the source names line and field.
    #[error("read the seed")]
    Form(#[source] Box<serde_saphyr::Error>),
    /// An identity is invalid.
    #[error("read identity '{client_id}': {problem}")]
    Identity {
        /// The identity's client id.
        client_id: String,
        /// The cause.
        problem: &'static str,
    },
    /// A version of an object is invalid.
    #[error("read {} '{name}' of vault '{vault}': {problem}", kind.noun())]
    Object {
        /// The vault's name.
        vault: String,
        /// The object's type.
        kind: ObjectKind,
        /// The object's name.
        name: String,
        /// The cause.
        problem: &'static str,
    },
    /// A key or certificate could not be generated.
    #[error("generate {} '{name}' of vault '{vault}'", kind.noun())]
    Generate {
        /// The vault's name.
        vault: String,
        /// The object's type.
        kind: ObjectKind,
        /// The object's name.
        name: String,
        /// The library's error.
        source: FixtureError,
    },
}

impl Seed {
    /// Parses a seed, and generates the keys and certificates that it names.
    ///
    /// # Errors
    /// [`SeedError`], which names the place.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let document: Document =
            serde_saphyr::from_str(text).map_err(|error| SeedError::Form(Box::new(error)))?;
        let (directory, vaults) = document.split()?;
        Ok(Self { directory, vaults: objects::vaults(vaults)? })
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use serde_json::json;

    use super::*;
    use crate::{
        directory::{Action, VaultScope},
        vault::VaultAccess,
    };

    #[test]
    fn the_example_seed_is_valid() {
        let seed = Seed::parse(include_str!("../../seed.example.yaml")).expect("the example is kept valid");
        let lab = &seed.vaults["lab"];
        assert_eq!(lab.secrets["db-password"][0].body["value"], "pa55w0rd");
        assert_eq!(lab.secrets["web"][0].body["contentType"], "application/x-pkcs12");
        assert_eq!(lab.secrets["web"][0].version, lab.certificates["web"][0].version);
        assert_eq!(
            (lab.access, seed.vaults["open"].access),
            (VaultAccess::Authenticated, VaultAccess::Anonymous)
        );
        assert_eq!(lab.keys["signing"][0].body["key"]["crv"], "P-384");
    }

    #[test]
    fn vaults_of_the_conformance_cases_are_accepted_unchanged() {
        let text = r#"{"vaults": {"lab": {"secrets": {"s": [
            {"version": "0a", "created": 5, "body": {"value": "x", "kid": null}},
            {"version": "0b", "created": 4, "enabled": false, "body": {"value": "y"}}]},
            "keys": {"k": [{"version": "0c", "created": 1, "body": {"key": {"kty": "EC"}}}]}}}}"#;
        let seed = Seed::parse(text).expect("JSON is YAML");
        let direct = &serde_json::from_str::<serde_json::Value>(text).expect("it is JSON")["vaults"];
        let direct: VaultSet = serde_json::from_value(direct.clone()).expect("it is the stored form");
        assert_eq!(seed.vaults, direct);
        assert_eq!(seed.directory.home_tenant(), "11111111-2222-3333-4444-555555555555");
    }

    #[test]
    fn versions_in_a_list_grow_newer() {
        let seed =
            Seed::parse("vaults: {lab: {secrets: {s: [old, {value: new, enabled: false, tags: {a: b}}]}}}");
        let versions = &seed.expect("lists mix strings and maps").vaults["lab"].secrets["s"];
        assert!(versions[0].created < versions[1].created);
        assert_ne!(versions[0].version, versions[1].version);
        assert!(versions[0].enabled && !versions[1].enabled);
        assert_eq!(versions[1].body["tags"], json!({ "a": "b" }));
    }

    #[test]
    fn identities_replace_the_default_directory() {
        let seed = Seed::parse(
            "tenant: t
applications:
  - clientId: app
    secrets: [hush]
    federations: [{namespace: default, serviceAccount: web}]
node: {userAssigned: [{clientId: user}]}
roles:
  - {principal: app, vaults: [Lab], role: secrets-user}
vaults: {}
",
        )
        .expect("it is valid");
        let directory = seed.directory;
        let app = directory.application("t", "APP").expect("it is there");
        assert_eq!(app.federations[0].subject, "system:serviceaccount:default:web");
        assert!(directory.permits("app", "lab", Action::GetSecret));
        assert!(!directory.permits("app", "lab", Action::ReadKey));
        assert!(!directory.permits("user", "lab", Action::GetSecret));
        assert_eq!(directory.roles[0].vaults, VaultScope::Only(["lab".to_owned()].into()));
    }

    #[test]
    fn a_tenant_alone_keeps_the_default_identities() {
        let seed = Seed::parse("tenant: other").expect("it is valid");
        assert_eq!(seed.directory.tenants, ["other"]);
        assert!(seed.directory.application("other", "dddddddd-0000-0000-0000-000000000003").is_some());
    }

    #[test]
    fn without_roles_every_identity_has_all_roles() {
        let seed =
            Seed::parse("node: {systemAssigned: {clientId: vm}}\nvaults: {lab: {}}").expect("it is valid");
        assert!(seed.directory.permits("vm", "lab", Action::GetSecret));
    }

    #[test]
    fn mistakes_are_refused_with_their_place() {
        for (label, text, mentions) in [
            ("unknown field", "vaults:\n  lab:\n    secret: {}\n", "secret"),
            ("unknown field of a version", "vaults: {lab: {secrets: {s: {valeu: x}}}}", "valeu"),
            ("a number for a value", "vaults: {lab: {secrets: {s: 12345}}}", "12345"),
            ("value and body", "vaults: {lab: {secrets: {s: {value: x, body: {}}}}}", "'s' of vault 'lab'"),
            ("a key with a value", "vaults: {lab: {keys: {k: {value: x}}}}", "key 'k'"),
            ("an unknown key type", "vaults: {lab: {keys: {k: dsa}}}", "key 'k'"),
            ("an unknown role", "roles: [{principal: a, role: king}]", "king"),
            ("vaults and except", "roles: [{principal: a, role: reader, vaults: [x], except: [y]}]", "'a'"),
            ("no subject", "applications: [{clientId: a, federations: [{namespace: n}]}]", "'a'"),
            ("a bare list", "- a", "line 1"),
        ] {
            let error = Seed::parse(text).expect_err(label);
            let text = format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default());
            assert!(text.contains(mentions), "{label}: {text}");
        }
    }
}

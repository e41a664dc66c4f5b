//! The emulator in a cluster: its objects, and the seed that the examples read.

use std::{collections::BTreeMap, process::Command};

use akv_emulator::Seed;
use akv_provider::spec::{
    find::Candidate,
    match_steps::MatchSteps,
    object::{ObjectType, VersionSelector},
};
use serde_json::json;

use crate::{
    examples::{self, Example},
    kubernetes,
    repository::{documents, files, path, program, run, text},
};

const DIRECTORY: &str = "manifests/emulator";

#[test]
fn the_kustomization_renders_what_kubernetes_accepts() {
    let Some(kubectl) = program("kubectl", "KUBECTL") else { return };
    let rendered = run(Command::new(kubectl).arg("kustomize").arg(path(DIRECTORY))).unwrap();
    let objects = documents(&rendered);
    kubernetes::check_all(DIRECTORY, &objects);
    let seed = &kubernetes::one(&objects, "ConfigMap")["metadata"]["name"];
    let deployment = kubernetes::one(&objects, "Deployment")["spec"]["template"].to_string();
    assert!(deployment.contains(&seed.to_string()), "{deployment}");
}

#[test]
fn the_emulators_pod_meets_the_restricted_standard_that_its_namespace_enforces() {
    let objects = documents(&text(&format!("{DIRECTORY}/emulator.yaml")));
    let labels = &kubernetes::one(&objects, "Namespace")["metadata"]["labels"];
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "restricted");
    let pod = &kubernetes::one(&objects, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(
        pod["securityContext"],
        json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } })
    );
    let context = &pod["containers"][0]["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["capabilities"], json!({ "drop": ["ALL"] }));
}

#[test]
fn the_images_have_the_version_of_the_workspace() {
    let image = format!("akv-emulator:{}", env!("CARGO_PKG_VERSION"));
    for file in ["emulator.yaml", "apply.sh"] {
        assert!(text(&format!("{DIRECTORY}/{file}")).contains(&image), "{file} does not name {image}");
    }
}

#[test]
fn the_seed_has_every_object_of_every_example() {
    let seed = Seed::parse(&text(&format!("{DIRECTORY}/seed.yaml"))).unwrap();
    for file in files(examples::DIRECTORY) {
        let mount = Example::read(&file).mount;
        for object in &*mount.objects {
            let vault = object.vault.as_ref().unwrap_or(&mount.vault).as_str();
            let vault = seed.vaults.get(vault).unwrap_or_else(|| panic!("{file}: no vault {vault}"));
            let known = match object.object_type() {
                // A certificate is a key and a secret too.
                ObjectType::Secret => &vault.secrets,
                ObjectType::Key => &vault.keys,
                ObjectType::Certificate => &vault.certificates,
            };
            let name = object.name.as_str();
            let versions = known.get(name).unwrap_or_else(|| panic!("{file}: no {name}"));
            if let VersionSelector::Pinned(pinned) = &object.versions {
                assert!(versions.iter().any(|version| version.version == pinned.as_str()), "{file}: {name}");
            }
        }
        for find in &*mount.finds {
            let vault = find.vault.as_ref().unwrap_or(&mount.vault).as_str();
            let tags = BTreeMap::new();
            let is_found = |name: &String| {
                let candidate = Candidate { name, tags: &tags, content_type: None, is_managed: false };
                find.conditions.admit(candidate, &mut MatchSteps::of_mount()).unwrap()
            };
            assert!(seed.vaults[vault].secrets.keys().any(is_found), "{file}: nothing for {find}");
        }
    }
}

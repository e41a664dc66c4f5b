//! The examples, mounted as far as possible without Azure: from the pod's volume to the parsed parameters.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::discriminant,
};

use akv_provider::{
    parameters::{self, MountTexts},
    spec::{
        MountSpec,
        file::{FileMode, RelativePath},
        identity::IdentityMode,
        object::{ObjectSpec, VersionSelector},
        rendering::{Rendering, SecretEncoding, SecretFormat},
        shape::{FileShape, Shape},
    },
};
use serde_json::{Value, json};

use crate::{
    kubernetes,
    repository::{documents, files, text},
    secret_provider_class::{self, SecretProviderClass},
};

pub(crate) const DIRECTORY: &str = "manifests/examples";

/// An example file: its objects, its class, and the mount of its pod.
pub(crate) struct Example {
    objects: Vec<Value>,
    class: SecretProviderClass,
    pub(crate) mount: MountSpec,
}

impl Example {
    pub(crate) fn read(file: &str) -> Self {
        let objects = documents(&text(file));
        let class = secret_provider_class::read(kubernetes::one(&objects, "SecretProviderClass")).unwrap();
        let mount = mount(&objects, &class).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self { objects, class, mount }
    }

    fn named(name: &str) -> Self {
        Self::read(&format!("{DIRECTORY}/{name}.yaml"))
    }
}

/// Parses the `Mount` call that the driver would send for the pod.
fn mount(objects: &[Value], class: &SecretProviderClass) -> Result<MountSpec, String> {
    let pod = kubernetes::one(objects, "Pod");
    let volume = &pod["spec"]["volumes"][0]["csi"];
    let mut attributes = class.spec.parameters.clone();
    let tokens = ["api://AzureADTokenExchange", "api://AKSIdentityBinding"]
        .map(|audience| (audience.to_owned(), json!({"token": "e30.e30.c2ln"})));
    for (key, value) in [
        ("csi.storage.k8s.io/pod.name", pod["metadata"]["name"].as_str().unwrap().to_owned()),
        ("csi.storage.k8s.io/pod.namespace", pod["metadata"]["namespace"].as_str().unwrap().to_owned()),
        ("csi.storage.k8s.io/serviceAccount.tokens", json!(BTreeMap::from(tokens)).to_string()),
    ] {
        attributes.insert(key.to_owned(), value);
    }
    let secrets = match volume["nodePublishSecretRef"]["name"].as_str() {
        Some(name) => {
            let secret = kubernetes::one(objects, "Secret");
            assert_eq!(secret["metadata"]["name"], name);
            secret["stringData"].clone()
        }
        None => Value::Null,
    };
    parameters::parse(MountTexts {
        attributes: &json!(attributes).to_string(),
        secrets: &secrets.to_string(),
        permission: "420",
    })
    .map_err(|error| error.to_string())
}

/// A pod that names a missing class, Secret or account waits forever.
#[test]
fn every_pod_finds_what_it_names() {
    for file in files(DIRECTORY) {
        let example = Example::read(&file);
        let pod = kubernetes::one(&example.objects, "Pod");
        let class = kubernetes::one(&example.objects, "SecretProviderClass");
        let volume = &pod["spec"]["volumes"][0];
        assert_eq!(volume["csi"]["driver"], "secrets-store.csi.k8s.io", "{file}");
        assert_eq!(
            volume["csi"]["volumeAttributes"]["secretProviderClass"], class["metadata"]["name"],
            "{file}"
        );
        assert_eq!(pod["metadata"]["namespace"], class["metadata"]["namespace"], "{file}");
        assert_eq!(pod["spec"]["containers"][0]["volumeMounts"][0]["name"], volume["name"], "{file}");
        if let Some(account) = pod["spec"]["serviceAccountName"].as_str() {
            assert_eq!(
                kubernetes::one(&example.objects, "ServiceAccount")["metadata"]["name"],
                account,
                "{file}"
            );
        }
    }
}

#[test]
fn there_is_an_example_of_every_identity_mode() {
    let modes = [
        "workload-identity",
        "identity-binding",
        "service-principal",
        "user-assigned-managed-identity",
        "system-assigned-managed-identity",
        "pod-identity",
    ]
    .map(|name| (name, Example::named(name).mount.identity));
    for (name, identity) in &modes {
        let right = match *name {
            "workload-identity" => matches!(identity, IdentityMode::WorkloadIdentity { .. }),
            "identity-binding" => matches!(identity, IdentityMode::IdentityBinding { .. }),
            "service-principal" => matches!(identity, IdentityMode::ServicePrincipal { .. }),
            "user-assigned-managed-identity" => {
                matches!(identity, IdentityMode::ManagedIdentity { user_assigned: Some(_) })
            }
            "system-assigned-managed-identity" => {
                matches!(identity, IdentityMode::ManagedIdentity { user_assigned: None })
            }
            _ => matches!(identity, IdentityMode::PodIdentity),
        };
        assert!(right, "{name} is {identity:?}");
    }
    let kinds: Vec<_> = modes.iter().map(|(_, identity)| discriminant(identity)).collect();
    for file in files(DIRECTORY) {
        assert!(kinds.contains(&discriminant(&Example::read(&file).mount.identity)), "{file}");
    }
}

fn file(object: &ObjectSpec) -> &FileShape {
    object.shape.as_file().expect("the entry is one file")
}

#[test]
fn there_is_an_example_of_every_kind_of_object() {
    let renderings = |name: &str| {
        let objects = Example::named(name).mount.objects;
        objects.iter().map(|object| file(object).rendering).collect::<Vec<_>>()
    };
    let secret = |format, encoding| Rendering::Secret { format, encoding };
    let pem = secret(SecretFormat::Pem, SecretEncoding::Utf8);
    assert_eq!(renderings("secret"), [pem, pem]);
    assert_eq!(
        renderings("secret-encoding"),
        [
            secret(SecretFormat::Pem, SecretEncoding::Base64),
            secret(SecretFormat::Pem, SecretEncoding::Hex),
            pem,
        ]
    );
    assert_eq!(renderings("key"), [Rendering::Key, Rendering::Key]);
    assert_eq!(renderings("certificate"), [Rendering::Certificate, Rendering::Key, pem]);
    assert_eq!(
        renderings("pfx"),
        [secret(SecretFormat::Pfx, SecretEncoding::Utf8), secret(SecretFormat::Pfx, SecretEncoding::Base64),]
    );
    let history = &Example::named("version-history").mount.objects[0].versions;
    assert_eq!(*history, VersionSelector::History { from: None, depth: 3 });
    assert!(matches!(Example::named("secret").mount.objects[1].versions, VersionSelector::Pinned(_)));
    let modes: Vec<_> =
        Example::named("file-permissions").mount.objects.iter().map(|object| file(object).mode).collect();
    assert_eq!(modes, [0o400, 0o440].map(|bits| FileMode::from_bits(bits).ok()));
}

#[test]
fn there_is_an_example_of_every_shape_of_an_object() {
    let shapes = |name: &str| {
        let objects = Example::named(name).mount.objects;
        let shape = |object: &ObjectSpec| match &object.shape {
            Shape::File(file) => format!("{:?}", discriminant(&file.if_absent)),
            Shape::Keys(keys) => format!("{:?}", discriminant(&keys.keys)),
            shape @ (Shape::Outputs(_) | Shape::Item(_) | Shape::Password) => {
                format!("{:?}", discriminant(shape))
            }
        };
        objects.iter().map(shape).collect::<BTreeSet<_>>()
    };
    assert_eq!(shapes("json-keys").len(), 1);
    assert_eq!(shapes("optional").len(), 2);
    assert_ne!(shapes("json-keys"), shapes("extract"));
    assert_ne!(shapes("nginx-tls"), shapes("certificate"));
    assert_ne!(shapes("combine"), shapes("secret"));
    let chosen = Example::named("version-policy").mount.objects;
    assert!(chosen.iter().all(|object| matches!(object.versions, VersionSelector::Chosen(_))), "{chosen:?}");
}

/// The three ways of Azure's own documentation, with the same objects, so that they can be compared.
#[test]
fn the_examples_of_azures_documentation_mount_the_same_files() {
    for name in ["workload-identity", "user-assigned-managed-identity", "service-principal"] {
        let mount = Example::named(name).mount;
        assert_eq!(mount.vault.as_str(), "demo", "{name}");
        let paths: Vec<_> =
            mount.objects.iter().map(|object| file(object).path.as_str().to_owned()).collect();
        assert_eq!(
            paths,
            ["db-password", "signing-rsa.pub", "signing-ec.pub", "web.crt", "web.pem"],
            "{name}"
        );
    }
}

#[test]
fn a_synced_secret_is_made_of_files_of_the_volume() {
    let mut synced = 0;
    for file in files(DIRECTORY) {
        let Example { class, mount, .. } = Example::read(&file);
        let paths = mount.objects.iter().flat_map(|object| object.shape.named_paths());
        let paths: BTreeSet<_> = paths.map(RelativePath::as_str).collect();
        for secret in &class.spec.secret_objects {
            synced += 1;
            for data in &secret.data {
                assert!(paths.contains(data.object_name.as_str()), "{file}: {}", data.object_name);
            }
            if secret.kind == "kubernetes.io/tls" {
                let keys: BTreeSet<_> = secret.data.iter().map(|data| data.key.as_str()).collect();
                assert!(keys.is_superset(&["tls.crt", "tls.key"].into()), "{keys:?}");
            }
        }
    }
    assert!(synced > 0);
}

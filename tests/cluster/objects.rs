//! The objects that a run creates for its apps. All pods meet the Pod Security standard `restricted`.

use serde_json::{Value, json};

use crate::environment::APPS;

/// The directory of a pod's volume.
pub(crate) const VOLUME: &str = "/mnt/secrets";

/// Returns the namespace and its service account.
pub(crate) fn namespace() -> Vec<Value> {
    let labels = json!({ "akv-acceptance": "true", "pod-security.kubernetes.io/enforce": "restricted" });
    vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": APPS, "labels": labels } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata("app") }),
    ]
}

/// Returns a SecretProviderClass that reads one secret of the emulator's vault with workload identity.
pub(crate) fn class(name: &str, provider: &str, secret: &str) -> Value {
    json!({
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": metadata(name),
        "spec": {
            "provider": provider,
            "parameters": {
                "keyvaultName": "demo",
                "tenantID": "11111111-2222-3333-4444-555555555555",
                "clientID": "cccccccc-0000-0000-0000-000000000002",
                "objects": format!("array:\n  - |\n    objectName: {secret}\n    objectType: secret\n"),
            },
        },
    })
}

/// Adds a Kubernetes Secret to a class, which the driver keeps equal to one of its files.
pub(crate) fn synced(mut class: Value, secret: &str, file: &str) -> Value {
    class["spec"]["secretObjects"] = json!([
        { "secretName": secret, "type": "Opaque", "data": [{ "objectName": file, "key": "value" }] },
    ]);
    class
}

/// Returns a pod that mounts a class and sleeps.
pub(crate) fn pod(name: &str, class: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name),
        "spec": {
            "serviceAccountName": "app",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65534, "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": "app",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sleep", "86400"],
                "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] },
                },
                "volumeMounts": [{ "name": "secrets", "mountPath": VOLUME, "readOnly": true }],
            }],
            "volumes": [{
                "name": "secrets",
                "csi": {
                    "driver": "secrets-store.csi.k8s.io",
                    "readOnly": true,
                    "volumeAttributes": { "secretProviderClass": class },
                },
            }],
        },
    })
}

fn metadata(name: &str) -> Value {
    json!({ "name": name, "namespace": APPS })
}

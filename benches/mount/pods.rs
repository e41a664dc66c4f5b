//! Pods that mount volumes, as the driver describes them.

use std::time::{Duration, SystemTime};

use akv_provider::proto::MountRequest;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::azure::{Azure, TENANT, VAULT, account, client_id, secret_name};

/// A pod with workload identity.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    number: u64,
    client_id: String,
    tokens: String,
}

impl Pod {
    /// Creates a new pod of one of the principals, with a service-account token that no provider has seen yet.
    pub(crate) fn new(azure: &Azure, principal: usize) -> Self {
        Self::of(azure, principal, "app")
    }

    /// Creates a new pod of the principal's own service account.
    pub(crate) fn of_account(azure: &Azure, principal: usize) -> Self {
        Self::of(azure, principal, &account(principal))
    }

    fn of(azure: &Azure, principal: usize, account: &str) -> Self {
        let token = azure.service_account_token("default", account, AUDIENCE, HOUR);
        let expiry = OffsetDateTime::from(SystemTime::now() + HOUR).format(&Rfc3339).unwrap_or_default();
        let tokens = json!({ AUDIENCE: { "token": token, "expirationTimestamp": expiry } });
        Self { number: azure.pod_number(), client_id: client_id(principal), tokens: tokens.to_string() }
    }

    /// Creates another pod with this pod's token.
    pub(crate) fn sibling(&self, azure: &Azure) -> Self {
        Self { number: azure.pod_number(), ..self.clone() }
    }

    /// Returns the request for a volume with this many secrets. Later requests of the same pod are equal, and so
    /// republishes.
    pub(crate) fn request(&self, objects: usize) -> MountRequest {
        // The only form that all Azure providers accept: a list of texts, each of them YAML.
        let array: Vec<_> = (0..objects)
            .map(|object| format!("objectName: {}\nobjectType: secret\n", secret_name(object)))
            .collect();
        self.request_of(&json!({ "array": array }).to_string())
    }

    /// Returns the request for a volume with the list `objects`.
    pub(crate) fn request_of(&self, objects: &str) -> MountRequest {
        let uid = format!("00000000-0000-4000-8000-{:012x}", self.number);
        let attributes = json!({
            "csi.storage.k8s.io/pod.name": format!("pod-{}", self.number),
            "csi.storage.k8s.io/pod.namespace": "default",
            "csi.storage.k8s.io/pod.uid": uid,
            "csi.storage.k8s.io/serviceAccount.name": "app",
            "csi.storage.k8s.io/serviceAccount.tokens": self.tokens,
            "secretProviderClass": "bench",
            "clientID": self.client_id,
            "keyvaultName": VAULT,
            "tenantId": TENANT,
            "objects": objects,
        });
        MountRequest {
            attributes: attributes.to_string(),
            secrets: "null".to_owned(),
            target_path: format!("/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~csi/secrets/mount"),
            permission: "420".to_owned(),
            current_object_version: Vec::new(),
        }
    }
}

const AUDIENCE: &str = "api://AzureADTokenExchange";
const HOUR: Duration = Duration::from_secs(3600);

//! Finds parameters that are ignored because their names are misspelt.

use crate::spec::{
    excerpt::Excerpt,
    misspelling::{Misspelling, nearest},
};

use super::attributes::{self, Attributes};

/// Returns the unknown parameters whose names are close to known ones, at most [`MAX_MISSPELLINGS`].
///
/// A known parameter that is set is never suggested.
pub(super) fn find(attributes: &Attributes) -> Vec<Misspelling> {
    let missing: Vec<&str> = KNOWN.iter().copied().filter(|known| !is_set(attributes, known)).collect();
    attributes
        .keys()
        .filter(|key| {
            !key.contains('/') && key.len() <= MAX_NAME && !KNOWN.contains(key) && !OTHERS.contains(key)
        })
        .take(MAX_COMPARED)
        .filter_map(|key| {
            Some(Misspelling { written: Excerpt::of(key), meant: nearest(key, missing.iter().copied())? })
        })
        .take(MAX_MISSPELLINGS)
        .collect()
}

fn is_set(attributes: &Attributes, known: &str) -> bool {
    let is_tenant = |key| TENANTS.contains(&key);
    if is_tenant(known) {
        TENANTS.iter().any(|key| attributes.optional(key).is_some())
    } else {
        attributes.optional(known).is_some()
    }
}

/// Of equally close names, the first one is suggested.
const KNOWN: [&str; 11] = [
    attributes::CLIENT_ID,
    attributes::USE_VM_MANAGED_IDENTITY,
    attributes::USER_ASSIGNED_IDENTITY_ID,
    attributes::USE_AZURE_TOKEN_PROXY,
    attributes::USE_POD_IDENTITY,
    attributes::TENANT_ID_NEW,
    attributes::TENANT_ID,
    attributes::KEYVAULT_NAME,
    attributes::CLOUD_NAME,
    attributes::CLOUD_ENV_FILE_NAME,
    attributes::OBJECTS,
];

const TENANTS: [&str; 2] = [attributes::TENANT_ID_NEW, attributes::TENANT_ID];

/// The driver sends the first, and old examples have the others. None of them is misspelt.
const OTHERS: [&str; 3] = ["secretProviderClass", "resourceGroup", "subscriptionId"];

/// Longest name that is compared, in bytes.
const MAX_NAME: usize = 64;

/// Names that are compared: a pod author can send thousands.
const MAX_COMPARED: usize = 64;

/// Misspellings that are reported.
const MAX_MISSPELLINGS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(attributes: &serde_json::Value) -> Vec<String> {
        let attributes = Attributes::parse("attributes", &attributes.to_string()).unwrap();
        find(&attributes).iter().map(|misspelling| misspelling.meant.to_owned()).collect()
    }

    #[test]
    fn names_in_another_case_or_nearly_right_are_recognised() {
        for (written, meant) in [
            ("clientId", "clientID"),
            ("clientid", "clientID"),
            ("client_id", "clientID"),
            ("client-ID", "clientID"),
            ("cleintID", "clientID"),
            ("clientIDs", "clientID"),
            ("userAssignedIdentityId", "userAssignedIdentityID"),
            ("userAssignedIdentity", "userAssignedIdentityID"),
            ("userAssignedIdentityClientID", "userAssignedIdentityID"),
            ("useVmManagedIdentity", "useVMManagedIdentity"),
            ("useManagedIdentity", "useVMManagedIdentity"),
            ("usePodIdentify", "usePodIdentity"),
            ("useAzureTokenproxy", "useAzureTokenProxy"),
            ("useTokenProxy", "useAzureTokenProxy"),
            ("tenantid", "tenantID"),
            ("tenant", "tenantID"),
            ("keyVaultName", "keyvaultName"),
            ("vaultName", "keyvaultName"),
            ("cloudname", "cloudName"),
            ("cloudEnvFilename", "cloudEnvFileName"),
            ("object", "objects"),
        ] {
            assert_eq!(found(&serde_json::json!({ written: "x" })), [meant], "{written}");
        }
    }

    #[test]
    fn unrelated_names_are_not_misspellings() {
        for written in [
            "secretProviderClass",
            "resourceGroup",
            "subscriptionId",
            "useWorkloadIdentity",
            "csi.storage.k8s.io/clientid",
            "csi.storage.k8s.io/serviceAccount.name",
            "clientSecret",
            "app",
            "",
            "😀",
        ] {
            assert_eq!(found(&serde_json::json!({ written: "x" })), [""; 0], "{written}");
        }
    }

    #[test]
    fn a_parameter_that_is_set_is_not_suggested() {
        assert_eq!(found(&serde_json::json!({ "clientId": "x", "clientID": "y" })), [""; 0]);
        assert_eq!(found(&serde_json::json!({ "clientId": "x", "clientID": " " })), ["clientID"]);
        assert_eq!(found(&serde_json::json!({ "tenantid": "x", "tenantId": "y" })), [""; 0]);
    }

    #[test]
    fn of_thousands_of_attributes_a_few_are_compared_and_three_are_reported() {
        let many = |name: fn(usize) -> String| {
            (0..50_000).map(|index| (name(index), "x".into())).collect::<serde_json::Map<_, _>>().into()
        };
        assert_eq!(found(&many(|index| format!("clientId{index}"))).len(), MAX_MISSPELLINGS);
        assert_eq!(found(&many(|index| format!("{}{index}", "clientId".repeat(1_000)))), [""; 0]);
    }
}

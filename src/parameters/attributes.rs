//! The string maps that the driver sends, and the names of their keys.

use std::collections::BTreeMap;

use crate::spec::{boolean, excerpt::Excerpt, sensitive::Sensitive};

use super::error::Problem;

macro_rules! names {
    ($($name:ident = $text:literal,)+) => {
        $(pub(super) const $name: &str = $text;)+

        /// Every key of `attributes` that the provider reads.
        pub const PARAMETERS: &[&str] = &[$($name,)+];
    };
}

names! {
    POD_NAME = "csi.storage.k8s.io/pod.name",
    POD_UID = "csi.storage.k8s.io/pod.uid",
    POD_NAMESPACE = "csi.storage.k8s.io/pod.namespace",
    SERVICE_ACCOUNT_TOKENS = "csi.storage.k8s.io/serviceAccount.tokens",
    KEYVAULT_NAME = "keyvaultName",
    FAILOVER_VAULT = "failoverVault",
    TENANT_ID = "tenantId",
    TENANT_ID_NEW = "tenantID",
    CLOUD_NAME = "cloudName",
    CLOUD_ENV_FILE_NAME = "cloudEnvFileName",
    CLIENT_ID = "clientID",
    USE_VM_MANAGED_IDENTITY = "useVMManagedIdentity",
    USER_ASSIGNED_IDENTITY_ID = "userAssignedIdentityID",
    USE_POD_IDENTITY = "usePodIdentity",
    USE_AZURE_TOKEN_PROXY = "useAzureTokenProxy",
    OBJECTS = "objects",
}

/// A map of strings. The values may be tokens and client secrets, so they are redacted and wiped. Values that a
/// duplicate key replaces, or that precede a parse error, are wiped as well.
#[derive(Default)]
pub(super) struct Attributes(BTreeMap<String, Sensitive<String>>);

impl Attributes {
    /// Parses a JSON object whose values are strings. A `null` value counts as absent, and a `null` document as empty.
    ///
    /// The parser's own message is left out, since it may quote a secret.
    pub(super) fn parse(name: &str, json: &str) -> Result<Self, Problem> {
        let map: Option<BTreeMap<String, Option<Sensitive<String>>>> =
            serde_json::from_str(json).map_err(|error| {
                Problem::wrong(
                    name,
                    format!("not a JSON map of strings, at line {} column {}", error.line(), error.column()),
                )
            })?;
        let map = map.unwrap_or_default().into_iter();
        Ok(Self(map.filter_map(|(key, value)| Some((key, value?))).collect()))
    }

    /// Returns whether the map holds keys of a Secret, that is, whether `nodePublishSecretRef` names one.
    ///
    /// If the CSIDriver object has `serviceAccountTokenInSecrets` (Kubernetes 1.35 and later), the map also holds a key
    /// of Kubernetes. A Secret's key cannot contain a slash.
    pub(super) fn has_keys_of_a_secret(&self) -> bool {
        self.0.keys().any(|key| !key.contains('/'))
    }

    /// Returns whether the map has a key, in any case and with any value.
    pub(super) fn has_in_any_case(&self, key: &str) -> bool {
        self.0.keys().any(|other| other.eq_ignore_ascii_case(key))
    }

    /// Returns the keys, sorted.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the trimmed value; `None` if it is absent or blank.
    pub(super) fn optional(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.expose().trim()).filter(|value| !value.is_empty())
    }

    /// Returns the trimmed value.
    ///
    /// # Errors
    /// The value is absent or blank.
    pub(super) fn required(&self, key: &str) -> Result<&str, Problem> {
        self.optional(key).ok_or_else(|| Problem::wrong(key, "is not set"))
    }

    /// Parses a boolean; an absent one is false.
    pub(super) fn flag(&self, key: &str) -> Result<bool, Problem> {
        self.optional(key).map_or(Ok(false), |text| {
            boolean::parse(text)
                .map_err(|error| Problem::of_text(key, text, format!("{} {error}", Excerpt::of(text))))
        })
    }

    /// Returns the untrimmed value of a key in any case; `None` if it is empty. The exact spelling takes precedence.
    pub(super) fn any_case(&self, key: &str) -> Option<&str> {
        self.0
            .get(key)
            .or_else(|| {
                self.0.iter().find(|(other, _)| other.eq_ignore_ascii_case(key)).map(|(_, value)| value)
            })
            .map(|value| value.expose().as_str())
            .filter(|value| !value.is_empty())
    }
}

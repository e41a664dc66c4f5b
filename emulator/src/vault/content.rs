//! The content of vaults, in the structure of the conformance cases' `vaults`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The content of vaults, by vault name.
pub type VaultSet = BTreeMap<String, VaultContent>;

/// The content of one vault: versions by object name, in the order of listings.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultContent {
    /// The tenant whose tokens the vault accepts; `None` means the directory's first.
    pub tenant: Option<String>,
    /// Whether the vault requires a token.
    pub access: VaultAccess,
    /// Versions by secret name.
    pub secrets: BTreeMap<String, Vec<ObjectVersion>>,
    /// Versions by key name.
    pub keys: BTreeMap<String, Vec<ObjectVersion>>,
    /// Versions by certificate name.
    pub certificates: BTreeMap<String, Vec<ObjectVersion>>,
}

impl VaultContent {
    /// Returns the objects of one type.
    #[must_use]
    pub fn objects(&self, kind: ObjectKind) -> &BTreeMap<String, Vec<ObjectVersion>> {
        match kind {
            ObjectKind::Secret => &self.secrets,
            ObjectKind::Key => &self.keys,
            ObjectKind::Certificate => &self.certificates,
        }
    }

    /// Returns the objects of one type, for changes.
    pub fn objects_mut(&mut self, kind: ObjectKind) -> &mut BTreeMap<String, Vec<ObjectVersion>> {
        match kind {
            ObjectKind::Secret => &mut self.secrets,
            ObjectKind::Key => &mut self.keys,
            ObjectKind::Certificate => &mut self.certificates,
        }
    }
}

/// Whether a vault requires a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultAccess {
    /// As in Key Vault: each request needs a valid token of a caller with a role; other requests get a challenge.
    #[default]
    Authenticated,
    /// Each request is authorized, with or without a token, and none gets a challenge. Some emulators of Key Vault do
    /// this, and gateways that add their own credential.
    Anonymous,
}

/// A version of an object.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ObjectVersion {
    /// The version id.
    pub version: String,
    /// Seconds since the Unix epoch. The newest version is the current one.
    pub created: i64,
    /// Seconds since the Unix epoch; `None` means the same as `created`.
    #[serde(default)]
    pub updated: Option<i64>,
    /// Whether the version may be read.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `exp` of the attributes, in seconds since the Unix epoch.
    #[serde(default, alias = "exp")]
    pub expires: Option<i64>,
    /// `nbf` of the attributes, in seconds since the Unix epoch.
    #[serde(default, alias = "nbf")]
    pub not_before: Option<i64>,
    /// Key Vault's answer without `id`, `kid` of a key, and `attributes`. A `null` field is left out.
    #[serde(default)]
    pub body: Map<String, Value>,
}

impl ObjectVersion {
    /// Creates an enabled version.
    #[must_use]
    pub fn new(version: &str, created: i64, body: Map<String, Value>) -> Self {
        Self {
            version: version.to_owned(),
            created,
            updated: None,
            enabled: true,
            expires: None,
            not_before: None,
            body,
        }
    }
}

fn yes() -> bool {
    true
}

/// A type of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A secret.
    Secret,
    /// A key, of which a vault shows the public part.
    Key,
    /// A certificate, without its private key.
    Certificate,
}

impl ObjectKind {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Key, Self::Certificate];

    /// Returns the path segment of the type's collection.
    #[must_use]
    pub fn collection(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Key => "keys",
            Self::Certificate => "certificates",
        }
    }

    pub(crate) fn from_collection(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.collection().eq_ignore_ascii_case(segment))
    }

    /// Returns the name in error codes, as in `SecretNotFound`.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Key => "Key",
            Self::Certificate => "Certificate",
        }
    }

    /// Returns the name in texts.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Certificate => "certificate",
        }
    }
}

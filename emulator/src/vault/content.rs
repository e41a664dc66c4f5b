//! What vaults hold, in the shape of the conformance cases' `vaults`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// Vault name → what it holds.
pub type VaultSet = BTreeMap<String, VaultContent>;

/// What one vault holds: object name → its versions, in the order that listings give them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultContent {
    /// The tenant whose tokens it accepts; the directory's first when absent.
    pub tenant: Option<String>,
    /// Whether it asks for a token.
    pub access: VaultAccess,
    /// Secrets.
    pub secrets: BTreeMap<String, Vec<ObjectVersion>>,
    /// Keys.
    pub keys: BTreeMap<String, Vec<ObjectVersion>>,
    /// Certificates.
    pub certificates: BTreeMap<String, Vec<ObjectVersion>>,
}

impl VaultContent {
    /// The objects of one kind.
    #[must_use]
    pub fn objects(&self, kind: ObjectKind) -> &BTreeMap<String, Vec<ObjectVersion>> {
        match kind {
            ObjectKind::Secret => &self.secrets,
            ObjectKind::Key => &self.keys,
            ObjectKind::Certificate => &self.certificates,
        }
    }

    /// The objects of one kind.
    pub fn objects_mut(&mut self, kind: ObjectKind) -> &mut BTreeMap<String, Vec<ObjectVersion>> {
        match kind {
            ObjectKind::Secret => &mut self.secrets,
            ObjectKind::Key => &mut self.keys,
            ObjectKind::Certificate => &mut self.certificates,
        }
    }
}

/// Whether a vault asks for a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultAccess {
    /// As Key Vault: each request needs a valid token of a caller with a role; others are challenged.
    #[default]
    Authenticated,
    /// Each request is answered as if authorized, with or without a token, and is never challenged. Emulators of Key
    /// Vault do so, and gateways that add a credential of their own.
    Anonymous,
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ObjectVersion {
    /// Version id.
    pub version: String,
    /// Seconds since the Unix epoch. The newest version is the current one.
    pub created: i64,
    /// Seconds since the Unix epoch; `created` when absent.
    #[serde(default)]
    pub updated: Option<i64>,
    /// Whether it may be read.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `exp` of the attributes, in seconds since the Unix epoch.
    #[serde(default)]
    pub expires: Option<i64>,
    /// `nbf` of the attributes, in seconds since the Unix epoch.
    #[serde(default)]
    pub not_before: Option<i64>,
    /// What Key Vault answers, less `id`, `kid` of a key, and `attributes`. `null` leaves a field out.
    #[serde(default)]
    pub body: Map<String, Value>,
}

impl ObjectVersion {
    /// An enabled version.
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

/// The three kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A secret.
    Secret,
    /// A key, of which a vault shows the public half.
    Key,
    /// A certificate, without its private key.
    Certificate,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Key, Self::Certificate];

    /// The path segment of its collection.
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

    /// The name in error codes, as in `SecretNotFound`.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Key => "Key",
            Self::Certificate => "Certificate",
        }
    }

    /// The name in texts.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Certificate => "certificate",
        }
    }
}

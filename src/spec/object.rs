//! The objects of a SecretProviderClass: their names, types and versions.

use std::{fmt, str::FromStr, sync::Arc};

use super::{output::Outputs, shape::Shape, vault::VaultName, version_choice::VersionChoice};

/// An entry of `objects`: what is read, and the files that it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSpec {
    /// The object's vault, if it is not the SecretProviderClass's own.
    pub vault: Option<VaultName>,
    /// The object's name in the vault.
    pub name: ObjectName,
    /// The requested versions. Only a [`Shape::File`] has a history.
    pub versions: VersionSelector,
    /// The files.
    pub shape: Shape,
    /// How the SecretProviderClass asks for the object.
    pub origin: Origin,
}

/// How a SecretProviderClass asks for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An entry names it.
    Named,
    /// The `find` of an entry found it in a list. It is passed over if it has gone since.
    Found {
        /// The index of the entry.
        entry: usize,
    },
}

impl ObjectSpec {
    /// Returns the object's type.
    pub fn object_type(&self) -> ObjectType {
        self.shape.object_type()
    }

    /// Returns the number of PKCS#12 stores among the files.
    pub fn stores(&self) -> usize {
        match &self.shape {
            Shape::Outputs(shape) => shape.outputs.stores(),
            Shape::File(_) | Shape::Keys(_) | Shape::Item(_) | Shape::Password => 0,
        }
    }

    /// Returns whether a file has a default.
    pub fn has_default(&self) -> bool {
        self.shape.has_default()
    }

    /// Returns whether the files of both are the same, whatever entries ask for them.
    pub fn has_files_of(&self, other: &Self) -> bool {
        let identity = |object: &Self| (object.vault.clone(), object.name.clone(), object.versions.clone());
        identity(self) == identity(other) && self.shape == other.shape
    }

    /// Returns whether a `find` found the object.
    pub fn is_found(&self) -> bool {
        matches!(self.origin, Origin::Found { .. })
    }

    /// Returns the secrets with the passwords of stores and archives.
    pub fn password_objects(&self) -> impl Iterator<Item = &ObjectName> {
        let outputs = match &self.shape {
            Shape::Outputs(shape) => Some(&shape.outputs),
            Shape::File(_) | Shape::Keys(_) | Shape::Item(_) | Shape::Password => None,
        };
        outputs.into_iter().flat_map(Outputs::password_objects)
    }

    /// Returns the read of the password that the secret `name` holds.
    pub fn password(vault: Option<VaultName>, name: ObjectName) -> Self {
        Self { vault, name, versions: VersionSelector::Newest, shape: Shape::Password, origin: Origin::Named }
    }
}

impl fmt::Display for ObjectSpec {
    /// Writes the id that users know, also from the SecretProviderClassPodStatus: `secret/db-password`, or
    /// `other-vault/secret/db-password`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(vault) = &self.vault {
            write!(f, "{vault}/")?;
        }
        write!(f, "{}/{}", self.object_type(), self.name)
    }
}

/// A type of object in a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectType {
    /// `secret`
    Secret,
    /// `key`
    Key,
    /// `cert`
    Certificate,
}

impl ObjectType {
    /// Returns the value of `objectType`, which object ids and metric labels use as well.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Certificate => "cert",
        }
    }

    /// Returns the least privileged role that reads this type of object
    /// (<https://learn.microsoft.com/azure/key-vault/general/rbac-guide#azure-built-in-roles-for-key-vault-data-plane-operations>).
    pub fn reader_role(self) -> &'static str {
        match self {
            Self::Secret => "Key Vault Secrets User",
            Self::Key => "Key Vault Crypto User",
            Self::Certificate => "Key Vault Certificate User",
        }
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text is not an `objectType`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use secret, key or cert")]
pub struct UnknownObjectType;

impl FromStr for ObjectType {
    type Err = UnknownObjectType;

    // Compat: only lower case is accepted.
    fn from_str(text: &str) -> Result<Self, UnknownObjectType> {
        match text {
            "secret" => Ok(Self::Secret),
            "key" => Ok(Self::Key),
            "cert" => Ok(Self::Certificate),
            _ => Err(UnknownObjectType),
        }
    }
}

/// An object's name: 1 to 127 letters, digits and dashes.
///
/// The SDK copies the name into a URL without escaping it, so no other character is safe.
/// <https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#vault-name-and-object-name>
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName(String);

impl ObjectName {
    /// Returns the name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in lower case. Key Vault's names ignore case.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase())
    }

    /// Returns whether both name the same object.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not a valid name or version in a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 127 letters, digits and dashes")]
pub struct InvalidSegment;

impl FromStr for ObjectName {
    type Err = InvalidSegment;

    fn from_str(name: &str) -> Result<Self, InvalidSegment> {
        if is_segment(name) { Ok(Self(name.to_owned())) } else { Err(InvalidSegment) }
    }
}

/// An object's version. Azure's vaults use 32 hexadecimal digits, but the provider accepts any segment of an object
/// identifier. Clones share its text, since a list of versions holds each of them twice while it is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectVersion(Arc<str>);

impl ObjectVersion {
    /// Returns the version as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ObjectVersion {
    type Err = InvalidSegment;

    fn from_str(version: &str) -> Result<Self, InvalidSegment> {
        if is_segment(version) { Ok(Self(version.into())) } else { Err(InvalidSegment) }
    }
}

/// The versions that a mount requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionSelector {
    /// The newest version.
    Newest,
    /// One particular version.
    Pinned(ObjectVersion),
    /// The newest version that meets conditions.
    Chosen(VersionChoice),
    /// Several versions, newest first, each in its own file.
    History {
        /// The first version; `None` means the newest.
        from: Option<ObjectVersion>,
        /// `objectVersionHistory`, 2 or more.
        depth: usize,
    },
}

fn is_segment(text: &str) -> bool {
    (1..=127).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_a_url() {
        let long = "n".repeat(127);
        let longer = "n".repeat(128);
        for (name, good) in [
            ("db-password", true),
            ("12345", true),
            (long.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("a/b", false),
            ("..", false),
            ("a?b", false),
            ("{secret-version}", false),
            ("my_secret", false),
            ("a b", false),
            ("ä", false),
        ] {
            assert_eq!(name.parse::<ObjectName>().is_ok(), good, "{name:?}");
            assert_eq!(name.parse::<ObjectVersion>().is_ok(), good, "{name:?}");
        }
    }

    #[test]
    fn object_types_parse_back() {
        for object_type in [ObjectType::Secret, ObjectType::Key, ObjectType::Certificate] {
            assert_eq!(object_type.as_str().parse(), Ok(object_type));
        }
        assert!("certificate".parse::<ObjectType>().is_err());
        assert!("Secret".parse::<ObjectType>().is_err());
    }
}

//! The one check that each answer is about the requested object.
//!
//! An answer about another object is never accepted, wherever it comes from: a proxy that caches, an emulator, a
//! gateway, or a bug of the provider that gives one request the answer to another.

use azure_core::http::Url;

use crate::spec::{
    excerpt::Excerpt,
    object::{ObjectName, ObjectType, ObjectVersion},
};

use super::{error::VaultError, read::Read};

/// An accepted identifier.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identifier {
    /// The version that it names.
    pub(super) version: ObjectVersion,
    /// The identifier as the vault wrote it.
    pub(super) url: String,
}

/// Returns the version in the identifier of an answer to `read`: `https://<vault>/<collection>/<name>/<version>`
/// (<https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates#object-identifiers>).
///
/// Two things vary in Key Vault and are not compared: the case of names and versions, and the host, since a vault has
/// several names.
///
/// # Errors
/// The identifier is missing, or names another object, kind or version.
pub(super) fn accept(read: &Read, id: Option<String>) -> Result<Identifier, VaultError> {
    let id = bounded(id)?;
    let parsed = id.parse::<Url>().map_err(|_| VaultError::Incomplete("id"))?;
    let mut segments = parsed.path_segments().ok_or(VaultError::Incomplete("id"))?;
    let (kind, name) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let other = || VaultError::OtherObject(Excerpt::of(&id));
    if kind != collection(read.object_type) || !name.eq_ignore_ascii_case(read.name.as_str()) {
        return Err(other());
    }
    let version: ObjectVersion = segments
        .next()
        .and_then(|version| version.parse().ok())
        .ok_or(VaultError::Incomplete("version in the id"))?;
    if read.version.as_ref().is_some_and(|asked| !asked.as_str().eq_ignore_ascii_case(version.as_str())) {
        return Err(other());
    }
    Ok(Identifier { version, url: id })
}

/// Returns the name in the identifier of an object in a list, `https://<vault>/<collection>/<name>`, and the identifier.
///
/// # Errors
/// The identifier is missing, or names another kind of object.
pub(super) fn listed(
    object_type: ObjectType,
    id: Option<String>,
) -> Result<(ObjectName, String), VaultError> {
    let id = bounded(id)?;
    let parsed = id.parse::<Url>().map_err(|_| VaultError::Incomplete("id"))?;
    let mut segments = parsed.path_segments().ok_or(VaultError::Incomplete("id"))?;
    if segments.next() != Some(collection(object_type)) {
        return Err(VaultError::OtherObject(Excerpt::of(&id)));
    }
    let name = segments.next().and_then(|name| name.parse().ok());
    Ok((name.ok_or(VaultError::Incomplete("name in the id"))?, id))
}

/// The longest identifier that is accepted, in bytes. Key Vault's have a host of up to 250, and two segments of up to
/// 127.
const MAX_ID_BYTES: usize = 1_024;

fn bounded(id: Option<String>) -> Result<String, VaultError> {
    let id = id.ok_or(VaultError::Incomplete("id"))?;
    if id.len() > MAX_ID_BYTES {
        return Err(VaultError::Incomplete("id of at most 1024 bytes"));
    }
    Ok(id)
}

/// Returns the first path segment of a kind of object.
fn collection(object_type: ObjectType) -> &'static str {
    match object_type {
        ObjectType::Secret => "secrets",
        ObjectType::Key => "keys",
        ObjectType::Certificate => "certificates",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(kind: ObjectType, version: Option<&str>, id: &str) -> Result<String, VaultError> {
        let read = Read {
            object_type: kind,
            name: "db-password".parse().unwrap(),
            version: version.map(|version| version.parse().unwrap()),
        };
        accept(&read, Some(id.to_owned())).map(|identifier| identifier.version.as_str().to_owned())
    }

    #[test]
    fn an_answer_for_the_object_that_was_asked_for_is_accepted() {
        for (kind, version, id) in [
            (ObjectType::Secret, None, "https://lab.vault.azure.net/secrets/db-password/v1"),
            (ObjectType::Secret, Some("v1"), "https://lab.vault.azure.net/secrets/db-password/v1"),
            (ObjectType::Secret, Some("V1"), "https://lab.vault.azure.net/secrets/db-password/v1"),
            (ObjectType::Secret, None, "https://localhost:8443/secrets/DB-Password/v1"),
            (ObjectType::Key, None, "https://lab.vault.azure.net/keys/db-password/v1/"),
            (ObjectType::Certificate, None, "https://lab.vault.azure.net/certificates/db-password/v1"),
        ] {
            let found = accepted(kind, version, id);
            assert_eq!(found.as_deref().ok(), Some("v1"), "{id}");
        }
    }

    #[test]
    fn an_answer_for_anything_else_is_refused() {
        for (kind, version, id) in [
            (ObjectType::Secret, None, "https://lab.vault.azure.net/secrets/db-password2/v1"),
            (ObjectType::Secret, None, "https://lab.vault.azure.net/secrets/other/v1"),
            (ObjectType::Secret, None, "https://lab.vault.azure.net/keys/db-password/v1"),
            (ObjectType::Key, None, "https://lab.vault.azure.net/secrets/db-password/v1"),
            (ObjectType::Certificate, None, "https://lab.vault.azure.net/secrets/db-password/v1"),
            (ObjectType::Secret, Some("v2"), "https://lab.vault.azure.net/secrets/db-password/v1"),
            (ObjectType::Secret, None, "https://lab.vault.azure.net/deletedsecrets/db-password/v1"),
            (ObjectType::Secret, None, "https://lab.vault.azure.net/"),
        ] {
            let error = accepted(kind, version, id).unwrap_err();
            assert!(matches!(error, VaultError::OtherObject(_)), "{id}: {error}");
        }
    }

    #[test]
    fn an_identifier_without_a_version_is_incomplete() {
        for id in [
            "https://lab.vault.azure.net/secrets/db-password",
            "https://lab.vault.azure.net/secrets/db-password/",
            "https://lab.vault.azure.net/secrets/db-password/a%2Fb",
            "secrets/db-password/v1",
            "data:x",
            "",
        ] {
            let error = accepted(ObjectType::Secret, None, id).unwrap_err();
            assert!(matches!(error, VaultError::Incomplete(_)), "{id}: {error}");
        }
        let read = Read { object_type: ObjectType::Key, name: "k".parse().unwrap(), version: None };
        assert!(matches!(accept(&read, None), Err(VaultError::Incomplete("id"))));
    }
}

//! Rendered content becomes the files of a volume: their paths, modes, and the versions that the driver records.

use std::collections::HashMap;

use crate::{
    content::{self, error::ContentError, pem::CertificatesAndKeys, secret::CertificateSettings},
    spec::{
        file::{FileMode, RelativePath},
        object::{ObjectSpec, ObjectVersion, VersionSelector},
        rendering::Rendering,
        sensitive::Sensitive,
    },
    vault::Bundle,
};

use super::{
    error::{ObjectError, ObjectFailure},
    fetch::{Fetched, Versions},
};

/// Everything that the driver writes for one mount.
#[derive(Debug)]
pub struct Volume {
    /// The files, in the user's order.
    pub files: Vec<VolumeFile>,
    /// What they were made from, one for each file; the driver refuses an answer without any.
    pub versions: Vec<MountedVersion>,
}

impl Volume {
    /// The size of the answer that the driver gets, in bytes and not less than it is.
    pub fn size(&self) -> usize {
        // Tags, lengths and the mode of a file, in protobuf's encoding.
        const OVERHEAD: usize = 64;
        let files = self.files.iter().map(|file| file.path.as_str().len() + file.contents.expose().len());
        let versions = self.versions.iter().map(|version| version.id.len() + version.version.len());
        files.chain(versions).map(|size| size + OVERHEAD).sum()
    }

    /// The files with the most in them, at most three, as a message names them.
    pub(super) fn largest(&self) -> String {
        let mut files: Vec<_> =
            self.files.iter().map(|file| (file.contents.expose().len(), &file.path)).collect();
        files.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
        let shown: Vec<_> =
            files.iter().take(3).map(|(size, path)| format!("{path} ({size} bytes)")).collect();
        shown.join(", ")
    }
}

/// One file.
#[derive(Debug)]
pub struct VolumeFile {
    /// Below the volume's root.
    pub path: RelativePath,
    /// Who may read it.
    pub mode: FileMode,
    /// What is in it.
    pub contents: Sensitive<Vec<u8>>,
}

/// What the SecretProviderClassPodStatus shows of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedVersion {
    /// `secret/db-password`, with a history `secret/db-password/0`.
    pub id: String,
    /// The version that the vault answered with.
    pub version: String,
}

/// The volume of `objects`, given what was read for each of them, in the same order.
///
/// # Errors
/// Every object that was not read or cannot be converted, in the user's order.
pub(super) fn lay_out(
    objects: &[ObjectSpec],
    fetched: Vec<Fetched>,
    default_mode: FileMode,
    settings: CertificateSettings,
) -> Result<Volume, Vec<ObjectFailure>> {
    let mut volume = Volume { files: Vec::new(), versions: Vec::new() };
    let mut failures = Vec::new();
    let mut taken: HashMap<RelativePath, &ObjectSpec> = HashMap::new();

    for (object, fetched) in objects.iter().zip(fetched) {
        let mode = object.mode.unwrap_or(default_mode);
        let places = match fetched {
            Ok(Versions::Single(version)) => vec![(version, object.path.clone(), object.to_string())],
            Ok(Versions::History(versions)) => (0..)
                .zip(versions)
                .map(|(index, version)| (version, object.path.version(index), format!("{object}/{index}")))
                .collect(),
            Err(error) => {
                failures.push(ObjectFailure::new(object, start(object), error));
                continue;
            }
        };
        for (read, path, id) in places {
            let rendered = match &read.bundle {
                Ok(bundle) => render(bundle, object.rendering, settings)
                    .map(|contents| (contents, bundle.version()))
                    .map_err(ObjectError::from),
                Err(error) => Err(ObjectError::from(error.clone())),
            };
            match rendered {
                Ok((contents, version)) => {
                    for (suffix, contents) in contents {
                        let path = path.with_suffix(suffix);
                        // Parameters have no two objects in one place, but know nothing of suffixes.
                        if let Some(earlier) = taken.insert(path.clone(), object)
                            && earlier != object
                        {
                            let error = ObjectError::Clash(path.to_string());
                            failures.push(ObjectFailure::new(object, None, error));
                            continue;
                        }
                        volume.files.push(VolumeFile { path, mode, contents });
                        volume.versions.push(MountedVersion { id: id.clone(), version: version.to_string() });
                    }
                }
                Err(error) => {
                    failures.push(ObjectFailure::new(object, read.asked.as_ref(), error));
                }
            }
        }
    }
    if failures.is_empty() { Ok(volume) } else { Err(failures) }
}

/// Whether conversion takes long enough to keep other mounts waiting: opening a PKCS#12 archive derives keys.
pub(super) fn is_slow(fetched: &[Fetched]) -> bool {
    let backs_certificate =
        |bundle: &Bundle| matches!(bundle, Bundle::Secret(secret) if secret.backs_certificate.is_some());
    fetched
        .iter()
        .flatten()
        .flat_map(Versions::all)
        .any(|version| version.bundle.as_ref().is_ok_and(|bundle| backs_certificate(bundle)))
}

/// The version that a failed selection was about.
fn start(object: &ObjectSpec) -> Option<&ObjectVersion> {
    match &object.versions {
        VersionSelector::History { from, .. } => from.as_ref(),
        VersionSelector::Newest | VersionSelector::Pinned(_) => None,
    }
}

/// What one version becomes: a suffix of the object's path, and contents, for each file.
type Rendered = Vec<(&'static str, Sensitive<Vec<u8>>)>;

fn render(
    bundle: &Bundle,
    rendering: Rendering,
    settings: CertificateSettings,
) -> Result<Rendered, ContentError> {
    let whole = match (bundle, rendering) {
        (Bundle::Secret(secret), Rendering::Secret { format, encoding }) => {
            let backs = secret.backs_certificate.as_deref();
            let content = content::secret::render(secret.value.expose(), backs, format, encoding, settings)?;
            if let Some(CertificatesAndKeys { certificates, keys }) = content.separate {
                return Ok(vec![(".crt", certificates), (".key", keys), ("", content.whole)]);
            }
            content.whole
        }
        (Bundle::Key(key), Rendering::Key) => {
            content::jwk::render(&key.key).map(Sensitive::new).map_err(ContentError::Jwk)?
        }
        (Bundle::Certificate(certificate), Rendering::Certificate) => {
            content::certificate::render(&certificate.der).map(Sensitive::new)?
        }
        _ => unreachable!("a read has the type of its object"),
    };
    Ok(vec![("", whole)])
}

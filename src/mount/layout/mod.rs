//! Builds the files of a volume from read objects: their paths, their modes, and the versions that the driver records.

use std::{collections::HashMap, sync::Arc};

use crate::{
    content::{
        self,
        error::ContentError,
        secret::{CertificateSettings, MissingPart, PemFiles, SeparateParts},
    },
    spec::{
        file::{FileMode, RelativePath},
        object::{ObjectSpec, ObjectVersion, VersionSelector},
        overlap::overlaps,
        rendering::Rendering,
        sensitive::Sensitive,
    },
    vault::{Bundle, MemorySize},
};

use super::{
    failure::{ObjectError, ObjectFailure},
    fetch::{Fetched, Versions},
    volume::{Draft, LeftOut, MountedVersion, TooLarge, Volume, VolumeFile},
};

/// Settings for all files of a volume.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The mode of files whose object names none.
    pub(super) default_mode: FileMode,
    pub(super) certificates: CertificateSettings,
    /// The driver's limit for one answer, in bytes.
    pub(super) largest_volume: usize,
}

/// Why there is no volume.
#[derive(Debug)]
pub(super) enum NoVolume {
    /// The objects that were not read or cannot be converted, in the user's order; never empty.
    Failures(Vec<ObjectFailure>),
    /// The volume exceeds the driver's limit.
    TooLarge(TooLarge),
    /// The mount was dropped.
    Abandoned,
}

/// Builds the volume of `objects` from what was read for each of them, in the same order. `abandoned` is checked before
/// each conversion, which may take a second.
pub(super) fn build_volume(
    objects: &[ObjectSpec],
    fetched: Vec<Fetched>,
    layout: Layout,
    abandoned: impl Fn() -> bool,
) -> Result<Volume, NoVolume> {
    let mut draft = Draft::new(layout.largest_volume);
    let mut failures = Vec::new();
    let mut rendered = Rendered::default();
    // The index of each draft file's object.
    let mut owners: Vec<usize> = Vec::new();

    for (index, (object, fetched)) in objects.iter().zip(fetched).enumerate() {
        let mode = object.mode.unwrap_or(layout.default_mode);
        let versions = match fetched {
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
        for (read, path, id) in versions {
            if abandoned() {
                return Err(NoVolume::Abandoned);
            }
            let bundle = match read.bundle {
                Ok(bundle) if draft.is_full() => {
                    draft.add_size(&path, bundle.bytes());
                    continue;
                }
                Ok(bundle) => bundle,
                Err(error) => {
                    failures.push(ObjectFailure::new(object, read.asked.as_ref(), error.into()));
                    continue;
                }
            };
            let convert = || render(&bundle, object.rendering, layout.certificates);
            let Files { written, missing } = match rendered.files(&bundle, object.rendering, &draft, convert)
            {
                Ok(files) => files,
                Err(error) => {
                    failures.push(ObjectFailure::new(object, read.asked.as_ref(), error.into()));
                    continue;
                }
            };
            for (suffix, reason) in missing {
                draft.leave_out(LeftOut { path: format!("{path}{suffix}"), reason });
            }
            for (suffix, contents) in written {
                match path.with_suffix(suffix) {
                    Ok(path) => {
                        let version =
                            MountedVersion { id: id.clone(), version: bundle.version().to_string() };
                        draft.add(VolumeFile { path, mode, contents }, version);
                        owners.push(index);
                    }
                    Err(reason) => {
                        let error = ObjectError::Path { path: format!("{path}{suffix}"), reason };
                        failures.push(ObjectFailure::new(object, None, error));
                    }
                }
            }
        }
    }
    if layout.certificates.files == PemFiles::Separate {
        failures.extend(clashes(objects, &draft, &owners));
    }
    if failures.is_empty() {
        draft.finish().map_err(NoVolume::TooLarge)
    } else {
        Err(NoVolume::Failures(failures))
    }
}

/// Returns the objects whose files collide. The parameters exclude equal paths of two objects, but suffixes are only
/// known here.
fn clashes(objects: &[ObjectSpec], draft: &Draft, owners: &[usize]) -> Vec<ObjectFailure> {
    let paths: Vec<&RelativePath> = draft.paths().collect();
    let owner = |file: usize| &objects[owners[file]];
    overlaps(&paths, |_, _| false)
        .into_iter()
        .filter(|(file, other, _)| owner(*file) != owner(*other))
        .map(|(file, ..)| ObjectFailure::new(owner(file), None, ObjectError::Clash(paths[file].to_string())))
        .collect()
}

/// Returns whether the conversion is slow enough to delay other mounts. Opening a PKCS#12 archive derives keys, and
/// each public key's point is checked against its curve.
pub(super) fn is_slow(fetched: &[Fetched]) -> bool {
    let bundles =
        || fetched.iter().flatten().flat_map(Versions::all).filter_map(|read| read.bundle.as_ref().ok());
    let is_archive = |bundle: &Arc<Bundle>| matches!(&**bundle, Bundle::Secret(secret) if secret.backs_certificate.is_some());
    let is_key = |bundle: &&Arc<Bundle>| matches!(&***bundle, Bundle::Key(_));
    bundles().any(is_archive) || bundles().filter(is_key).count() > FEW_KEYS
}

/// This many keys are converted in a few milliseconds.
const FEW_KEYS: usize = 20;

/// Returns the version with which a history starts.
fn start(object: &ObjectSpec) -> Option<&ObjectVersion> {
    match &object.versions {
        VersionSelector::History { from, .. } => from.as_ref(),
        VersionSelector::Newest | VersionSelector::Pinned(_) => None,
    }
}

/// The files of one version. Each file's name is the object's path with a suffix.
struct Files {
    written: Vec<(&'static str, Sensitive<Vec<u8>>)>,
    missing: Vec<(&'static str, MissingPart)>,
}

/// Finished conversions. One object can be requested under thousands of names, and opening an archive takes a second.
#[derive(Default)]
struct Rendered(HashMap<(usize, Rendering), Before>);

/// A finished conversion.
struct Before {
    /// Keeps the allocation alive, so that no other bundle gets its address, which is the map's key.
    _bundle: Arc<Bundle>,
    /// The files in the draft, or the error of the conversion.
    files: Result<InDraft, ContentError>,
}

/// Files that the draft holds.
struct InDraft {
    suffixes: Vec<&'static str>,
    /// The index of the first file.
    place: usize,
    missing: Vec<(&'static str, MissingPart)>,
}

impl Rendered {
    /// Returns the files of `bundle`: copies from the draft if it was converted before, otherwise the result of
    /// `convert`. The caller must add new files to `draft` before the next call, or not at all.
    fn files(
        &mut self,
        bundle: &Arc<Bundle>,
        rendering: Rendering,
        draft: &Draft,
        convert: impl FnOnce() -> Result<Files, ContentError>,
    ) -> Result<Files, ContentError> {
        let key = (Arc::as_ptr(bundle).addr(), rendering);
        match self.0.get(&key).map(|before| &before.files) {
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(InDraft { suffixes, place, missing })) => {
                let contents = (*place..).map(|index| draft.contents(index).cloned());
                let again: Option<Vec<_>> = suffixes
                    .iter()
                    .zip(contents)
                    .map(|(suffix, contents)| Some((*suffix, contents?)))
                    .collect();
                if let Some(written) = again {
                    return Ok(Files { written, missing: missing.clone() });
                }
            }
            None => {}
        }
        let files = convert();
        let noted = files.as_ref().map_err(Clone::clone).map(|files| InDraft {
            suffixes: files.written.iter().map(|(suffix, _)| *suffix).collect(),
            place: draft.files(),
            missing: files.missing.clone(),
        });
        self.0.insert(key, Before { _bundle: bundle.clone(), files: noted });
        files
    }
}

fn render(
    bundle: &Bundle,
    rendering: Rendering,
    settings: CertificateSettings,
) -> Result<Files, ContentError> {
    let whole = match (bundle, rendering) {
        (Bundle::Secret(secret), Rendering::Secret { format, encoding }) => {
            let backs = secret.backs_certificate.as_deref();
            let content = content::secret::render(secret.value.expose(), backs, format, encoding, settings)?;
            let mut files = Files { written: Vec::new(), missing: Vec::new() };
            if let Some(SeparateParts { certificates, keys }) = content.separate {
                for (suffix, part) in [(".crt", certificates), (".key", keys)] {
                    match part {
                        Ok(part) => files.written.push((suffix, part)),
                        Err(reason) => files.missing.push((suffix, reason)),
                    }
                }
            }
            files.written.push(("", content.whole));
            return Ok(files);
        }
        (Bundle::Key(key), Rendering::Key) => {
            content::jwk::render(&key.key).map(Sensitive::new).map_err(ContentError::Jwk)?
        }
        (Bundle::Certificate(certificate), Rendering::Certificate) => {
            content::certificate::render(&certificate.der).map(Sensitive::new)?
        }
        _ => unreachable!("a read has the type of its object"),
    };
    Ok(Files { written: vec![("", whole)], missing: Vec::new() })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use crate::{
        content::jwk::PublicJwk,
        mount::fetch::VersionRead,
        spec::{
            object::ObjectName,
            rendering::{SecretEncoding, SecretFormat},
        },
        vault::{KeyBundle, SecretBundle},
    };

    use super::*;

    const SECRET: Rendering = Rendering::Secret { format: SecretFormat::Pem, encoding: SecretEncoding::Utf8 };

    fn secret(value: &str) -> Arc<Bundle> {
        let value = Sensitive::new(value.to_owned());
        let version = "1".parse().unwrap();
        Arc::new(Bundle::Secret(SecretBundle { version, value, backs_certificate: None }))
    }

    fn wanted(path: &str) -> ObjectSpec {
        let name: ObjectName = "a".parse().unwrap();
        let versions = VersionSelector::Newest;
        ObjectSpec { name, rendering: SECRET, versions, path: path.parse().unwrap(), mode: None }
    }

    fn read(bundle: &Arc<Bundle>) -> Fetched {
        Ok(Versions::Single(VersionRead { asked: None, bundle: Ok(bundle.clone()) }))
    }

    fn layout(largest_volume: usize) -> Layout {
        let default_mode = FileMode::from_bits(0o644).unwrap();
        Layout { default_mode, certificates: CertificateSettings::default(), largest_volume }
    }

    #[test]
    fn a_secret_under_many_names_is_converted_once() {
        let (bundle, other) = (secret("value"), secret("other"));
        let (mut rendered, mut draft, converted) = (Rendered::default(), Draft::new(1 << 20), Cell::new(0));
        for (index, bundle) in [&bundle, &bundle, &other, &bundle].into_iter().enumerate() {
            let convert = || {
                converted.set(converted.get() + 1);
                render(bundle, SECRET, CertificateSettings::default())
            };
            let files = rendered.files(bundle, SECRET, &draft, convert).unwrap();
            for (suffix, contents) in files.written {
                let path = wanted(&index.to_string()).path.with_suffix(suffix).unwrap();
                let version = MountedVersion { id: String::new(), version: String::new() };
                draft.add(VolumeFile { path, mode: layout(0).default_mode, contents }, version);
            }
        }
        assert_eq!(converted.get(), 2);
        let contents: Vec<_> = (0..4).map(|index| draft.contents(index).unwrap().expose().clone()).collect();
        assert_eq!(contents, [&b"value"[..], b"value", b"other", b"value"]);
    }

    #[test]
    fn thousands_of_keys_count_as_a_slow_conversion() {
        let key = |_| {
            let key = KeyBundle { version: "1".parse().unwrap(), key: PublicJwk::default() };
            read(&Arc::new(Bundle::Key(key)))
        };
        assert!(!is_slow(&(0..FEW_KEYS).map(key).collect::<Vec<_>>()));
        assert!(is_slow(&(0..=FEW_KEYS).map(key).collect::<Vec<_>>()));
        assert!(!is_slow(&(0..4_000).map(|_| read(&secret("value"))).collect::<Vec<_>>()));
    }

    #[test]
    fn a_volume_over_the_drivers_limit_has_no_files_but_a_size() {
        let bundle = secret(&"x".repeat(25_000));
        let objects: Vec<_> = (0..4_000).map(|index| wanted(&format!("a{index}"))).collect();
        let fetched = objects.iter().map(|_| read(&bundle)).collect();
        let Err(NoVolume::TooLarge(TooLarge { size, largest })) =
            build_volume(&objects, fetched, layout(4 << 20), || false)
        else {
            panic!("too much is laid out");
        };
        assert!((100_000_000..101_000_000).contains(&size), "{size}");
        let largest = largest.unwrap();
        assert!(largest.to_string().starts_with("a0 (25000 bytes)"), "{largest}");
    }

    #[test]
    fn conversion_stops_when_the_mount_is_dropped() {
        let objects = [wanted("a"), wanted("b"), wanted("c")];
        let fetched = objects.iter().map(|_| read(&secret("value"))).collect();
        let asked = Cell::new(0);
        let abandoned = || {
            asked.set(asked.get() + 1);
            asked.get() > 2
        };
        let volume = build_volume(&objects, fetched, layout(1 << 20), abandoned);
        assert!(matches!(volume, Err(NoVolume::Abandoned)));
        assert_eq!(asked.get(), 3);
    }
}

//! Rendered content becomes the files of a volume: their paths, modes, and the versions that the driver records.

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

/// What is decided for all files of a volume.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// Of files whose object names none.
    pub(super) default_mode: FileMode,
    pub(super) certificates: CertificateSettings,
    /// What the driver takes in one answer, in bytes.
    pub(super) largest_volume: usize,
}

/// Why there is no volume.
#[derive(Debug)]
pub(super) enum NoVolume {
    /// These objects were not read or cannot be converted; in the user's order, and never none.
    Failures(Vec<ObjectFailure>),
    /// The driver would not take it.
    TooLarge(TooLarge),
    /// Nobody waits for it any more.
    Abandoned,
}

/// The volume of `objects`, given what was read for each of them, in the same order. `abandoned` says between two
/// conversions, each of which may take a second, whether there is a need for another.
pub(super) fn build_volume(
    objects: &[ObjectSpec],
    fetched: Vec<Fetched>,
    layout: Layout,
    abandoned: impl Fn() -> bool,
) -> Result<Volume, NoVolume> {
    let mut draft = Draft::new(layout.largest_volume);
    let mut failures = Vec::new();
    let mut rendered = Rendered::default();
    // Of each file of the draft.
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

/// Files in each other's way: parameters have no two objects in one place, but know nothing of suffixes.
fn clashes(objects: &[ObjectSpec], draft: &Draft, owners: &[usize]) -> Vec<ObjectFailure> {
    let paths: Vec<&RelativePath> = draft.paths().collect();
    let owner = |file: usize| &objects[owners[file]];
    overlaps(&paths, |_, _| false)
        .into_iter()
        .filter(|(file, other, _)| owner(*file) != owner(*other))
        .map(|(file, ..)| ObjectFailure::new(owner(file), None, ObjectError::Clash(paths[file].to_string())))
        .collect()
}

/// Whether conversion takes long enough to keep other mounts waiting: opening a PKCS#12 archive derives keys, and the
/// point of a public key is checked to be one.
pub(super) fn is_slow(fetched: &[Fetched]) -> bool {
    let bundles =
        || fetched.iter().flatten().flat_map(Versions::all).filter_map(|read| read.bundle.as_ref().ok());
    let is_archive = |bundle: &Arc<Bundle>| matches!(&**bundle, Bundle::Secret(secret) if secret.backs_certificate.is_some());
    let is_key = |bundle: &&Arc<Bundle>| matches!(&***bundle, Bundle::Key(_));
    bundles().any(is_archive) || bundles().filter(is_key).count() > FEW_KEYS
}

/// So many keys are converted in a few milliseconds.
const FEW_KEYS: usize = 20;

/// The version that a failed selection was about.
fn start(object: &ObjectSpec) -> Option<&ObjectVersion> {
    match &object.versions {
        VersionSelector::History { from, .. } => from.as_ref(),
        VersionSelector::Newest | VersionSelector::Pinned(_) => None,
    }
}

/// What one version becomes. Each file has a suffix of the object's path.
struct Files {
    written: Vec<(&'static str, Sensitive<Vec<u8>>)>,
    missing: Vec<(&'static str, MissingPart)>,
}

/// What was converted already: one object can be wanted under thousands of names, and an archive takes a second.
#[derive(Default)]
struct Rendered(HashMap<(usize, Rendering), Before>);

/// An earlier conversion of the same.
struct Before {
    /// As long as it is here, nothing else has its address.
    _bundle: Arc<Bundle>,
    /// Where its files are; or why there is none.
    files: Result<InDraft, ContentError>,
}

/// Files that are in the draft.
struct InDraft {
    suffixes: Vec<&'static str>,
    /// Of the first of them.
    place: usize,
    missing: Vec<(&'static str, MissingPart)>,
}

impl Rendered {
    /// The files of `bundle`, which are added to `draft` next if at all; from `convert` where they are new.
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
    fn thousands_of_keys_keep_no_other_mount_waiting() {
        let key = |_| {
            let key = KeyBundle { version: "1".parse().unwrap(), key: PublicJwk::default() };
            read(&Arc::new(Bundle::Key(key)))
        };
        assert!(!is_slow(&(0..FEW_KEYS).map(key).collect::<Vec<_>>()));
        assert!(is_slow(&(0..=FEW_KEYS).map(key).collect::<Vec<_>>()));
        assert!(!is_slow(&(0..4_000).map(|_| read(&secret("value"))).collect::<Vec<_>>()));
    }

    #[test]
    fn no_more_is_laid_out_than_the_driver_takes() {
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
    fn nothing_is_converted_for_a_mount_that_was_given_up() {
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

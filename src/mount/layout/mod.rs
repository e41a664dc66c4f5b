//! Builds the files of a volume from read objects: their paths, their modes, and the versions that the driver records.

mod absence;
mod clash;
mod combined;
mod conversion;
mod file;
mod kept;
mod keys;
mod outputs;
mod passwords;
mod sources;

use std::collections::HashSet;

use crate::{
    content::{
        secret::{CertificateSettings, PemFiles},
        work::Work,
    },
    spec::{
        absence::Presence,
        file::{FileMode, RelativePath},
        find::FindSpec,
        object::{ObjectSpec, ObjectVersion, Origin, VersionSelector},
        sensitive::Sensitive,
        shape::{KeySelection, Shape},
        syntax::Syntax,
    },
    vault::Bundle,
};

pub(super) use self::passwords::password_reads;

use self::{
    absence::Fallback, combined::Values, conversion::Conversions, keys::Documents, passwords::Passwords,
    sources::Sources,
};

use super::{
    draft::{Draft, TooLarge},
    failure::{ObjectError, ObjectFailure},
    fetch::{Fetched, Versions},
    memory::MountMemory,
    volume::{ABSENT, AbsentObject, Volume, VolumeFile},
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
    /// The files are larger than what was read, and no permit for a large volume is free.
    NoPermit,
    /// The mount was dropped.
    Abandoned,
}

/// Returns whether the mount goes on without the object.
pub(super) fn may_be_absent(object: &ObjectSpec) -> bool {
    let is_optional_item = matches!(&object.shape, Shape::Item(item) if combined::is_optional(item));
    object.is_found() || is_optional_item || Fallback::of(object).is_some()
}

/// Builds the volume of `objects`, those of `finds` included, from what was read for each of them, in the same order.
/// `abandoned` is checked before each conversion, which may take a second.
pub(super) fn build_volume(
    objects: &[ObjectSpec],
    finds: &[FindSpec],
    fetched: Vec<Fetched>,
    layout: Layout,
    memory: MountMemory,
    abandoned: impl Fn() -> bool,
) -> Result<Volume, NoVolume> {
    let mut builder = Builder {
        layout,
        abandoned: &abandoned,
        draft: Draft::new(layout.largest_volume, memory),
        owners: Vec::new(),
        failures: Vec::new(),
        key_clashes: Vec::new(),
        conversions: Conversions::default(),
        documents: Documents::default(),
        sources: Sources::default(),
        values: Values::default(),
        passwords: Passwords::of(objects, &fetched),
        work: Work::of_mount(),
        found: HashSet::new(),
        recorded_once: recorded_once(objects),
    };
    for (index, (object, fetched)) in objects.iter().zip(fetched).enumerate() {
        builder.place(Owner { index, object }, fetched)?;
        if builder.draft.lacks_permit() {
            return Err(NoVolume::NoPermit);
        }
    }
    for find in finds {
        builder.find(find);
    }
    builder.finish(objects)
}

/// A volume under construction.
struct Builder<'a> {
    layout: Layout,
    abandoned: &'a dyn Fn() -> bool,
    draft: Draft,
    /// The index of each draft file's object.
    owners: Vec<usize>,
    failures: Vec<ObjectFailure>,
    /// Keys of one value that become one file.
    key_clashes: Vec<ObjectFailure>,
    conversions: Conversions,
    documents: Documents,
    sources: Sources,
    /// The values of the combined file whose items are being placed.
    values: Values,
    passwords: Passwords,
    work: Work,
    /// The entries whose `find` found an object that still exists.
    found: HashSet<usize>,
    /// The ids of objects whose versions are recorded once, however many files they have.
    recorded_once: HashSet<String>,
}

/// Returns the ids of objects whose versions are recorded once: those that a `find` found, and those with an entry that
/// is neither one file nor a history.
///
/// Compat: the versions of other objects are recorded once for each file.
fn recorded_once(objects: &[ObjectSpec]) -> HashSet<String> {
    let is_once = |object: &&ObjectSpec| match &object.shape {
        Shape::Keys(_) | Shape::Outputs(_) | Shape::Item(_) => true,
        Shape::File(_) => object.is_found(),
        Shape::Password => false,
    };
    objects.iter().filter(is_once).map(ToString::to_string).collect()
}

/// An entry, and its index.
#[derive(Clone, Copy)]
struct Owner<'a> {
    index: usize,
    object: &'a ObjectSpec,
}

impl Builder<'_> {
    /// Adds the files of one entry, or its failure.
    fn place(&mut self, owner: Owner<'_>, fetched: Fetched) -> Result<(), NoVolume> {
        if owner.object.shape == Shape::Password {
            self.password(owner, fetched);
            return Ok(());
        }
        if let Shape::Item(item) = &owner.object.shape {
            return self.item(owner, item, fetched);
        }
        if let Origin::Found { entry } = owner.object.origin {
            // It has gone since it was listed.
            if absence::is_absent(&fetched) {
                return Ok(());
            }
            self.found.insert(entry);
        }
        if absence::is_absent(&fetched)
            && let Some(fallback) = Fallback::of(owner.object)
        {
            self.absent(owner, fallback);
            return Ok(());
        }
        let versions = match fetched {
            Ok(versions) => versions,
            Err(error) => {
                self.fail(owner, start(owner.object), error);
                return Ok(());
            }
        };
        match &owner.object.shape {
            Shape::File(file) => self.file(owner, file, versions),
            Shape::Keys(keys) => self.keys(owner, keys, versions),
            Shape::Outputs(shape) => self.outputs(owner, shape, versions),
            Shape::Item(_) | Shape::Password => Ok(()),
        }
    }

    /// Adds what a `find` leaves without an object, or its failure.
    fn find(&mut self, find: &FindSpec) {
        if self.found.contains(&find.entry) {
            return;
        }
        match find.presence {
            Presence::Required => {
                self.failures.push(ObjectFailure::of_find(find, ObjectError::NothingFound));
            }
            Presence::Optional => {
                let (object_type, id) = (find.object_type(), find.to_string());
                self.draft.record_absence(AbsentObject { object_type, id }, ABSENT);
            }
        }
    }

    /// Adds what an entry leaves without its object.
    fn absent(&mut self, owner: Owner<'_>, fallback: Fallback) {
        let version = fallback.version();
        for (path, mode, contents) in fallback.files {
            self.add(owner, path, mode, contents);
        }
        let (object_type, id) = (owner.object.object_type(), owner.object.to_string());
        self.draft.record_absence(AbsentObject { object_type, id }, version);
    }

    fn add(
        &mut self,
        owner: Owner<'_>,
        path: RelativePath,
        mode: Option<FileMode>,
        contents: Sensitive<Vec<u8>>,
    ) {
        // Beyond the limit the draft has no files, and their number is not bounded.
        if !self.draft.is_full() {
            self.owners.push(owner.index);
        }
        self.draft.add(VolumeFile { path, mode: mode.unwrap_or(self.layout.default_mode), contents });
    }

    fn fail(&mut self, owner: Owner<'_>, version: Option<&ObjectVersion>, error: ObjectError) {
        self.failures.push(ObjectFailure::new(owner.object, version, error));
    }

    fn check_abandoned(&self) -> Result<(), NoVolume> {
        if (self.abandoned)() { Err(NoVolume::Abandoned) } else { Ok(()) }
    }

    fn finish(mut self, objects: &[ObjectSpec]) -> Result<Volume, NoVolume> {
        let has_unforeseen_paths = self.layout.certificates.files == PemFiles::Separate
            || objects.iter().any(ObjectSpec::is_found)
            || objects.iter().any(|object| match &object.shape {
                Shape::Keys(keys) => matches!(keys.keys, KeySelection::All { .. }),
                Shape::File(_) | Shape::Outputs(_) | Shape::Item(_) | Shape::Password => false,
            });
        if has_unforeseen_paths {
            self.failures.extend(clash::find(objects, &self.draft, &self.owners));
        }
        // A volume that is too large fails for its size, wherever its keys are.
        if !self.draft.is_full() {
            self.failures.append(&mut self.key_clashes);
        }
        if !self.failures.is_empty() {
            return Err(NoVolume::Failures(self.failures));
        }
        if self.owners.is_empty() {
            self.draft.add(VolumeFile::absent(self.layout.default_mode));
        }
        let taken_apart = self.sources.taken_apart;
        let volume = self.draft.finish().map_err(NoVolume::TooLarge)?;
        Ok(Volume { taken_apart, ..volume })
    }
}

/// Returns whether the conversion is slow enough to delay other mounts. Opening a PKCS#12 archive derives keys, each
/// public key's point is checked against its curve, and each structured value is parsed.
pub(super) fn is_slow(objects: &[ObjectSpec], fetched: &[Fetched]) -> bool {
    let (mut keys, mut structured) = (0, 0);
    for (object, fetched) in objects.iter().zip(fetched) {
        for bundle in fetched.iter().flat_map(Versions::all).filter_map(|read| read.bundle.as_ref().ok()) {
            match (&**bundle, &object.shape) {
                (Bundle::Secret(secret), Shape::File(_)) if secret.backs_certificate.is_some() => {
                    return true;
                }
                (Bundle::Secret(secret), Shape::Outputs(shape))
                    if secret.backs_certificate.is_some() || shape.outputs.has_parts() =>
                {
                    return true;
                }
                // Aliases make a megabyte of a few bytes.
                (Bundle::Secret(_), Shape::Keys(keys)) if keys.syntax == Syntax::Yaml => return true,
                (Bundle::Secret(secret), Shape::Keys(_) | Shape::Item(_)) => {
                    structured += secret.value.expose().len()
                }
                (Bundle::Key(_), _) => keys += 1,
                (Bundle::Secret(_) | Bundle::Certificate(_), _) => {}
            }
        }
    }
    keys > FEW_KEYS || structured > FEW_STRUCTURED_BYTES
}

/// This many keys are converted in a few milliseconds.
const FEW_KEYS: usize = 20;

/// Structured values of this size together are parsed in a few milliseconds.
const FEW_STRUCTURED_BYTES: usize = 128 << 10;

/// Returns the version with which a history starts.
fn start(object: &ObjectSpec) -> Option<&ObjectVersion> {
    match &object.versions {
        VersionSelector::History { from, .. } => from.as_ref(),
        VersionSelector::Newest | VersionSelector::Pinned(_) | VersionSelector::Chosen(_) => None,
    }
}

#[cfg(test)]
mod tests;

//! A volume under construction, within the driver's limit and the memory of its mount.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use crate::spec::{file::RelativePath, sensitive::Sensitive};

use super::{
    largest::Largest,
    memory::MountMemory,
    volume::{AbsentObject, DEFAULT, FILE_OVERHEAD_BYTES, LeftOut, MountedVersion, Volume, VolumeFile},
};

/// A volume under construction that never holds more than the driver's limit, or than its mount may hold.
#[derive(Debug)]
pub(super) struct Draft {
    memory: MountMemory,
    /// Whether the draft outgrew a small volume while no permit was free: the contents are dropped then.
    lacks_permit: bool,
    volume: Volume,
    /// An upper bound of the answer's size, in bytes.
    size: usize,
    limit: usize,
    /// The largest files, once the limit is exceeded: the contents are dropped then.
    largest: Option<Largest>,
    /// The index of the recorded version of each object that the vault does not have, by id. There may be thousands.
    absences: HashMap<String, usize>,
    /// All versions so far, once one is recorded that others may repeat. There may be thousands.
    recorded: Option<HashSet<MountedVersion>>,
}

/// The error of a volume that exceeds the driver's limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    /// The approximate size in bytes.
    pub(super) size: usize,
    /// The largest files, if all files are known.
    pub(super) largest: Option<Largest>,
}

impl Draft {
    pub(super) fn new(limit: usize, memory: MountMemory) -> Self {
        Self {
            memory,
            lacks_permit: false,
            volume: Volume::default(),
            size: 0,
            limit,
            largest: None,
            absences: HashMap::new(),
            recorded: None,
        }
    }

    /// Returns whether the contents are dropped, so that further files only need a size.
    pub(super) fn is_full(&self) -> bool {
        self.largest.is_some()
    }

    /// Returns whether the contents are dropped because no permit for a large volume was free.
    pub(super) fn lacks_permit(&self) -> bool {
        self.lacks_permit
    }

    /// Makes room for a file of about `bytes` before its content is made. Returns whether there is any.
    pub(super) fn reserve(&mut self, bytes: usize) -> bool {
        if !self.is_full() && self.memory.hold(self.size + bytes).is_err() {
            self.lacks_permit = true;
            self.largest();
        }
        !self.is_full()
    }

    /// Returns the contents of the file at `index`; `None` once the limit is exceeded.
    pub(super) fn contents(&self, index: usize) -> Option<&Sensitive<Vec<u8>>> {
        self.volume.files.get(index).map(|file| &file.contents)
    }

    /// Returns the paths of all files; empty once the limit is exceeded.
    pub(super) fn paths(&self) -> impl Iterator<Item = &RelativePath> {
        self.volume.files.iter().map(|file| &file.path)
    }

    /// Returns the number of files; zero once the limit is exceeded.
    pub(super) fn files(&self) -> usize {
        self.volume.files.len()
    }

    /// Adds a file.
    pub(super) fn add(&mut self, file: VolumeFile) {
        let bytes = file.contents.expose().len();
        self.size += bytes + file.path.as_str().len() + FILE_OVERHEAD_BYTES;
        if self.size <= self.limit && self.reserve(0) {
            self.volume.files.push(file);
        } else {
            self.largest().note(bytes, &file.path);
        }
    }

    /// Records the version of an object that has files.
    pub(super) fn record(&mut self, version: MountedVersion) {
        self.size += version.id.len() + version.version.len();
        if let Some(recorded) = &mut self.recorded {
            recorded.insert(version.clone());
        }
        if !self.is_full() {
            self.volume.versions.push(version);
        }
    }

    /// Records the version of an object once, however many files it has.
    pub(super) fn record_once(&mut self, version: MountedVersion) {
        let versions = &self.volume.versions;
        let recorded = self.recorded.get_or_insert_with(|| versions.iter().cloned().collect());
        if !recorded.contains(&version) {
            self.record(version);
        }
    }

    /// Records once that the vault does not have an object, however many entries name it. A default of one of them is
    /// its version then.
    pub(super) fn record_absence(&mut self, object: AbsentObject, version: &'static str) {
        match self.absences.entry(object.id.clone()) {
            Entry::Occupied(recorded) if version == DEFAULT => {
                // Beyond the limit there are no versions.
                if let Some(recorded) = self.volume.versions.get_mut(*recorded.get()) {
                    DEFAULT.clone_into(&mut recorded.version);
                }
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(self.volume.versions.len());
                self.record(MountedVersion { id: object.id.clone(), version: version.to_owned() });
                self.volume.absent.push(object);
            }
        }
    }

    /// Records an optional file that the secret has no part for.
    pub(super) fn leave_out(&mut self, file: LeftOut) {
        self.volume.left_out.push(file);
    }

    /// Counts a file of about this size without its contents.
    pub(super) fn add_size(&mut self, path: &RelativePath, bytes: usize) {
        self.size += bytes + FILE_OVERHEAD_BYTES;
        self.largest().note(bytes, path);
    }

    /// Counts content that has no single path, without keeping it. The limit must be exceeded already.
    pub(super) fn add_bytes(&mut self, bytes: usize) {
        self.size += bytes;
    }

    /// Returns the volume.
    ///
    /// # Errors
    /// The volume exceeds the driver's limit.
    pub(super) fn finish(self) -> Result<Volume, TooLarge> {
        match self.largest {
            None if self.size <= self.limit => Ok(self.volume),
            // Without any largest file, the versions alone exceed the limit.
            largest => Err(TooLarge { size: self.size, largest }),
        }
    }

    /// Drops all contents, and returns the largest files so far.
    fn largest(&mut self) -> &mut Largest {
        let Volume { files, versions, .. } = &mut self.volume;
        self.largest.get_or_insert_with(|| {
            *versions = Vec::new();
            let files = std::mem::take(files);
            Largest::of(files.iter().map(|file| (file.contents.expose().len(), &file.path)))
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        metrics::Metrics,
        mount::{
            memory::{MAX_SMALL_VOLUME_BYTES, VolumeMemory},
            volume::ABSENT,
        },
        spec::{file::FileMode, object::ObjectType},
    };

    use super::*;

    fn draft(limit: usize) -> Draft {
        Draft::new(limit, VolumeMemory::new(0, limit, Metrics::new(false)).of_mount("shop"))
    }

    fn file(path: &str, bytes: usize) -> VolumeFile {
        let contents = Sensitive::new(vec![0; bytes]);
        let mode = FileMode::from_bits(0o644).unwrap();
        VolumeFile { path: path.parse().unwrap(), mode, contents }
    }

    #[test]
    fn a_version_is_recorded_once_beside_versions_that_are_recorded_for_each_file() {
        let version = |id: &str| MountedVersion { id: id.to_owned(), version: "1".to_owned() };
        let mut draft = draft(1_000);
        draft.record(version("secret/y"));
        for id in ["secret/y", "secret/z", "secret/z"] {
            draft.record_once(version(id));
        }
        draft.record(version("secret/x"));
        draft.record_once(version("secret/x"));
        draft.record(version("secret/x"));
        let recorded: Vec<_> =
            draft.finish().unwrap().versions.into_iter().map(|version| version.id).collect();
        assert_eq!(recorded, ["secret/y", "secret/z", "secret/x", "secret/x"]);
    }

    #[test]
    fn an_object_that_the_vault_does_not_have_is_recorded_once_and_its_default_counts() {
        let absent = |id: &str| AbsentObject { object_type: ObjectType::Secret, id: id.to_owned() };
        for versions in [[ABSENT, DEFAULT], [DEFAULT, ABSENT], [DEFAULT, DEFAULT]] {
            let mut draft = draft(1_000);
            draft.record_absence(absent("secret/y"), ABSENT);
            for version in versions {
                draft.record_absence(absent("secret/z"), version);
            }
            let volume = draft.finish().unwrap();
            let recorded: Vec<_> = volume
                .versions
                .iter()
                .map(|recorded| (recorded.id.as_str(), recorded.version.as_str()))
                .collect();
            assert_eq!(recorded, [("secret/y", ABSENT), ("secret/z", DEFAULT)]);
            assert_eq!(volume.absent, [absent("secret/y"), absent("secret/z")]);
        }
    }

    #[test]
    fn contents_over_the_drivers_limit_are_dropped() {
        let mut draft = draft(1_000);
        for (path, bytes) in [("a", 100), ("b", 300), ("c", 200)] {
            draft.add(file(path, bytes));
        }
        assert!(!draft.is_full() && draft.contents(1).is_some());
        draft.add(file("d", 100));
        assert!(draft.is_full() && draft.files() == 0 && draft.contents(0).is_none());
        draft.add_size(&"e".parse().unwrap(), 400);
        let size = 1_100 + 4 + 5 * FILE_OVERHEAD_BYTES;
        let too_large = draft.finish().unwrap_err();
        assert_eq!(too_large.size, size);
        assert_eq!(too_large.largest.unwrap().to_string(), "e (400 bytes), b (300 bytes), c (200 bytes)");
    }

    #[test]
    fn files_that_outgrow_what_was_read_wait_for_memory_like_large_volumes() {
        let all = VolumeMemory::new(0, 4 << 20, Metrics::new(false));
        let other = all.of_mount("shop");
        other.hold(1 << 20).unwrap();
        let mut draft = Draft::new(4 << 20, all.of_mount("shop"));
        draft.add(file("a", MAX_SMALL_VOLUME_BYTES / 2));
        assert!(!draft.lacks_permit() && draft.files() == 1, "a small volume needs no permit");
        draft.add(file("b", MAX_SMALL_VOLUME_BYTES / 2));
        assert!(draft.lacks_permit() && draft.files() == 0, "no content stays while the mount waits");
        drop(other);
        let mut draft = Draft::new(4 << 20, all.of_mount("shop"));
        assert!(draft.reserve(MAX_SMALL_VOLUME_BYTES + 1));
        draft.add(file("c", MAX_SMALL_VOLUME_BYTES));
        assert_eq!(draft.finish().unwrap().files.len(), 1);
    }

    #[test]
    fn a_volume_over_the_drivers_limit_keeps_the_paths_of_three_files() {
        let mut draft = draft(1_000);
        for index in 0..1_000 {
            draft.add(file(&format!("f-{index}"), if index == 700 { 2 } else { 1 }));
        }
        let largest = draft.finish().unwrap_err().largest.unwrap();
        assert_eq!(largest.to_string(), "f-700 (2 bytes), f-0 (1 bytes), f-1 (1 bytes)");
    }
}

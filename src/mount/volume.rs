//! Everything that the driver writes for one mount.

use std::{cmp::Reverse, fmt};

use crate::{
    content::secret::MissingPart,
    report::Report,
    spec::{
        file::{FileMode, RelativePath},
        sensitive::Sensitive,
    },
};

/// The files of a mount, and the versions that the driver records.
#[derive(Debug, Default)]
pub struct Volume {
    /// The files, in the user's order.
    pub files: Vec<VolumeFile>,
    /// What they were made from, one for each file; the driver refuses an answer without any.
    pub versions: Vec<MountedVersion>,
    /// The files that could have been here, had the secret a part for them; at a volume's first mount.
    pub left_out: Vec<LeftOut>,
}

/// A file of a certificate's or a key's own, without anything to be in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Below the volume's root.
    pub path: String,
    /// The part that is missing.
    pub reason: MissingPart,
}

impl fmt::Display for LeftOut {
    /// `web.key (the secret has no private key)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path, Report(&self.reason))
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

/// A volume in the making, that has no more in it than the driver takes.
#[derive(Debug)]
pub(super) struct Draft {
    volume: Volume,
    /// Of the answer that the driver gets, in bytes and not less than it is.
    size: usize,
    limit: usize,
    /// What there would be, once it is too much: then contents are of no use.
    sizes: Option<Vec<(usize, RelativePath)>>,
}

/// More than the driver takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    /// What it would be, in bytes, about.
    pub(super) size: usize,
    /// The files with the most in them, where all of them are known.
    pub(super) largest: Option<Largest>,
}

/// The files with the most in them, at most three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Largest(Vec<(usize, RelativePath)>);

impl Largest {
    pub(super) fn of<'a>(sizes: impl IntoIterator<Item = (usize, &'a RelativePath)>) -> Self {
        let mut sizes: Vec<_> = sizes.into_iter().collect();
        sizes.sort_by_key(|(bytes, _)| Reverse(*bytes));
        Self(sizes.into_iter().take(3).map(|(bytes, path)| (bytes, path.clone())).collect())
    }
}

impl fmt::Display for Largest {
    /// `a (25000 bytes), b (24000 bytes)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (bytes, path)) in self.0.iter().enumerate() {
            write!(f, "{}{path} ({bytes} bytes)", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Draft {
    pub(super) fn new(limit: usize) -> Self {
        Self { volume: Volume::default(), size: 0, limit, sizes: None }
    }

    /// Whether there is too much already, so that sizes are all that is wanted of what comes.
    pub(super) fn is_full(&self) -> bool {
        self.sizes.is_some()
    }

    /// The contents of a file, by how many were added before it; `None` once there is too much.
    pub(super) fn contents(&self, index: usize) -> Option<&Sensitive<Vec<u8>>> {
        self.volume.files.get(index).map(|file| &file.contents)
    }

    /// Where the files are; nothing once there is too much.
    pub(super) fn paths(&self) -> impl Iterator<Item = &RelativePath> {
        self.volume.files.iter().map(|file| &file.path)
    }

    /// How many files there are.
    pub(super) fn files(&self) -> usize {
        self.volume.files.len()
    }

    /// Adds a file.
    pub(super) fn add(&mut self, file: VolumeFile, version: MountedVersion) {
        let bytes = file.contents.expose().len();
        self.size +=
            bytes + file.path.as_str().len() + version.id.len() + version.version.len() + FILE_OVERHEAD_BYTES;
        if self.size <= self.limit {
            self.volume.files.push(file);
            self.volume.versions.push(version);
        } else {
            self.sizes().push((bytes, file.path));
        }
    }

    /// Notes a file that there would be, had the secret a part for it.
    pub(super) fn leave_out(&mut self, file: LeftOut) {
        self.volume.left_out.push(file);
    }

    /// Adds what would be a file of about so many bytes.
    pub(super) fn add_size(&mut self, path: &RelativePath, bytes: usize) {
        self.size += bytes + FILE_OVERHEAD_BYTES;
        self.sizes().push((bytes, path.clone()));
    }

    /// The volume.
    ///
    /// # Errors
    /// It is too large.
    pub(super) fn finish(self) -> Result<Volume, TooLarge> {
        let Some(sizes) = self.sizes else { return Ok(self.volume) };
        let largest = Largest::of(sizes.iter().map(|(bytes, path)| (*bytes, path)));
        Err(TooLarge { size: self.size, largest: Some(largest) })
    }

    fn sizes(&mut self) -> &mut Vec<(usize, RelativePath)> {
        let Volume { files, versions, .. } = &mut self.volume;
        versions.clear();
        let had = files.drain(..).map(|file| (file.contents.expose().len(), file.path));
        self.sizes.get_or_insert_default().extend(had);
        self.sizes.get_or_insert_default()
    }
}

/// Tags, lengths and modes of a file and a version, in protobuf's encoding.
const FILE_OVERHEAD_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, bytes: usize) -> (VolumeFile, MountedVersion) {
        let contents = Sensitive::new(vec![0; bytes]);
        let mode = FileMode::from_bits(0o644).unwrap();
        let version = MountedVersion { id: String::new(), version: String::new() };
        (VolumeFile { path: path.parse().unwrap(), mode, contents }, version)
    }

    #[test]
    fn what_is_too_much_for_the_driver_is_not_kept() {
        let mut draft = Draft::new(1_000);
        for (path, bytes) in [("a", 100), ("b", 300), ("c", 200)] {
            let (file, version) = file(path, bytes);
            draft.add(file, version);
        }
        assert!(!draft.is_full() && draft.contents(1).is_some());
        let (more, version) = file("d", 100);
        draft.add(more, version);
        assert!(draft.is_full() && draft.files() == 0 && draft.contents(0).is_none());
        draft.add_size(&"e".parse().unwrap(), 400);
        let size = 1_100 + 4 + 5 * FILE_OVERHEAD_BYTES;
        let too_large = draft.finish().unwrap_err();
        assert_eq!(too_large.size, size);
        assert_eq!(too_large.largest.unwrap().to_string(), "e (400 bytes), b (300 bytes), c (200 bytes)");
    }
}

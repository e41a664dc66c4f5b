//! What two answers to the same call have in common, without their contents.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use serde::Serialize;

use crate::proto::MountResponse;

/// A file without its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileDigest {
    /// The permission bits, in octal.
    pub(crate) mode: String,
    /// The length of the contents.
    pub(crate) bytes: usize,
    /// A keyed hash of the contents. The key is random for each run, so that no table of hashes finds a password.
    pub(crate) hash: String,
}

/// Two sides of something that each answer has at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Pair<T> {
    /// In the answer of this provider.
    pub(crate) here: Option<T>,
    /// In the answer of the other provider.
    pub(crate) there: Option<T>,
}

impl<T> Default for Pair<T> {
    fn default() -> Self {
        Self { here: None, there: None }
    }
}

impl<T: PartialEq> Pair<T> {
    /// Returns whether both sides are alike.
    pub(crate) fn is_same(&self) -> bool {
        self.here == self.there
    }
}

/// The files and versions of two answers, sorted by path and by object.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// By path.
    pub(crate) files: BTreeMap<String, Pair<FileDigest>>,
    /// The versions by object id.
    pub(crate) versions: BTreeMap<String, Pair<String>>,
}

impl Difference {
    /// Compares two answers. `key` hides the contents in the hashes.
    pub(crate) fn between(here: &MountResponse, there: &MountResponse, key: &hmac::Key) -> Self {
        let mut difference = Self { files: BTreeMap::new(), versions: BTreeMap::new() };
        difference.add(here, key, |pair| &mut pair.here, |pair| &mut pair.here);
        difference.add(there, key, |pair| &mut pair.there, |pair| &mut pair.there);
        difference
    }

    /// Returns whether both answers give the same volume.
    pub(crate) fn is_none(&self) -> bool {
        self.different_files() == 0 && self.versions.values().all(Pair::is_same)
    }

    /// Returns the number of files that differ, or that one answer alone has.
    pub(crate) fn different_files(&self) -> usize {
        self.files.values().filter(|pair| !pair.is_same()).count()
    }

    fn add(
        &mut self,
        answer: &MountResponse,
        key: &hmac::Key,
        file_side: impl Fn(&mut Pair<FileDigest>) -> &mut Option<FileDigest>,
        version_side: impl Fn(&mut Pair<String>) -> &mut Option<String>,
    ) {
        for file in &answer.files {
            let digest = FileDigest {
                mode: format!("{:04o}", file.mode),
                bytes: file.contents.len(),
                hash: hash(&file.contents, key),
            };
            *file_side(self.files.entry(file.path.clone()).or_default()) = Some(digest);
        }
        for version in &answer.object_version {
            let pair = self.versions.entry(version.id.clone()).or_default();
            *version_side(pair) = Some(version.version.clone());
        }
    }
}

fn hash(contents: &[u8], key: &hmac::Key) -> String {
    let tag = hmac::sign(key, contents);
    data_encoding::HEXLOWER.encode(&tag.as_ref()[..HASH_BYTES])
}

/// Enough that two contents of one run do not meet by chance.
const HASH_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use crate::proto::{File, ObjectVersion};

    use super::*;

    fn answer(files: &[(&str, i32, &str)], versions: &[(&str, &str)]) -> MountResponse {
        let file = |(path, mode, contents): &(&str, i32, &str)| File {
            path: (*path).to_owned(),
            mode: *mode,
            contents: contents.as_bytes().to_vec(),
        };
        let version = |(id, version): &(&str, &str)| ObjectVersion {
            id: (*id).to_owned(),
            version: (*version).to_owned(),
        };
        MountResponse {
            object_version: versions.iter().map(version).collect(),
            error: None,
            files: files.iter().map(file).collect(),
        }
    }

    fn key(seed: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[seed; 32])
    }

    #[test]
    fn the_order_of_files_and_versions_is_no_difference() {
        let one = answer(&[("a", 0o644, "x"), ("b", 0o600, "y")], &[("secret/a", "1"), ("secret/b", "2")]);
        let other = answer(&[("b", 0o600, "y"), ("a", 0o644, "x")], &[("secret/b", "2"), ("secret/a", "1")]);
        assert!(Difference::between(&one, &other, &key(1)).is_none());
    }

    #[test]
    fn contents_modes_paths_and_versions_are_compared() {
        let one = answer(&[("a", 0o644, "x")], &[("secret/a", "1")]);
        for (other, files) in [
            (answer(&[("a", 0o644, "z")], &[("secret/a", "1")]), 1),
            (answer(&[("a", 0o600, "x")], &[("secret/a", "1")]), 1),
            (answer(&[("b", 0o644, "x")], &[("secret/a", "1")]), 2),
            (answer(&[("a", 0o644, "x")], &[("secret/a", "2")]), 0),
            (answer(&[("a", 0o644, "x")], &[]), 0),
        ] {
            let difference = Difference::between(&one, &other, &key(1));
            assert!(!difference.is_none());
            assert_eq!(difference.different_files(), files);
        }
    }

    #[test]
    fn hashes_change_with_the_key_and_hide_the_contents() {
        let one = answer(&[("a", 0o644, "canary")], &[]);
        let hash = |seed| Difference::between(&one, &one, &key(seed)).files["a"].here.clone().unwrap().hash;
        assert_ne!(hash(1), hash(2));
        let shown = format!("{:?}", Difference::between(&one, &one, &key(1)));
        assert!(!shown.contains("canary"), "{shown}");
    }
}

//! Writes the files of a mount for a person: all of them, or none.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::proto::File;

/// Files that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The directory has entries.
    #[error("--write {}: the directory is not empty; give an empty or a new one", .0.display())]
    NotEmpty(PathBuf),
    /// The directory cannot be read, or is none.
    #[error("--write {}: {source}; give an empty or a new directory", path.display())]
    NoDirectory {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("--write {}: nothing was written: {source}", path.display())]
    Failed {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// A directory that is empty or does not exist yet.
#[derive(Debug)]
pub(crate) struct Target {
    directory: PathBuf,
    parent: PathBuf,
}

impl Target {
    /// Checks a directory before there is anything to write.
    ///
    /// # Errors
    /// The directory has entries, cannot be read, or has no parent.
    pub(crate) fn check(path: &Path) -> Result<Self, WriteError> {
        let no_directory = |source| WriteError::NoDirectory { path: path.to_owned(), source };
        let directory = match fs::read_dir(path) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(WriteError::NotEmpty(path.to_owned()));
                }
                // A rename does not follow symbolic links.
                fs::canonicalize(path).map_err(no_directory)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(no_directory(error)),
        };
        let parent = match directory.parent() {
            Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
            Some(parent) => parent.to_owned(),
            None => return Err(no_directory(io::Error::other("it has no parent directory"))),
        };
        if !parent.is_dir() {
            return Err(no_directory(io::Error::other("its parent directory does not exist")));
        }
        Ok(Self { directory, parent })
    }

    /// Writes the files with mode 0600, whatever their modes in a pod. They are written beside the directory first,
    /// and one rename brings all of them there.
    ///
    /// # Errors
    /// A file cannot be written. Then the directory is as it was before.
    pub(crate) fn write(&self, files: &[File]) -> Result<(), WriteError> {
        let failed = |source| WriteError::Failed { path: self.directory.clone(), source };
        let beside = tempfile::Builder::new()
            .prefix(".akv-provider-try-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&self.parent)
            .map_err(failed)?;
        for file in files {
            // The provider made the path from one that is relative and has no "..".
            write(&beside.path().join(&file.path), &file.contents).map_err(failed)?;
        }
        fs::rename(beside.path(), &self.directory).map_err(failed)?;
        // There is nothing left to remove under the old name.
        let _ = beside.keep();
        Ok(())
    }
}

fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File { path: path.to_owned(), mode: 0o644, contents: b"x".to_vec() }
    }

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_for_their_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["new", "empty"] {
            let target = dir.path().join(name);
            if name == "empty" {
                fs::create_dir(&target).unwrap();
            }
            Target::check(&target).unwrap().write(&[file("a"), file("b/c")]).unwrap();
            let mode = |path: &str| fs::metadata(target.join(path)).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode("."), mode("a"), mode("b"), mode("b/c")), (0o700, 0o600, 0o700, 0o600));
        }
        assert_eq!(names(dir.path()), ["empty", "new"]);
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::check(&dir.path().join("out")).unwrap();
        // The second path needs a directory where the first one is a file.
        let error = target.write(&[file("a"), file("a/b")]).unwrap_err();
        assert!(error.to_string().contains("nothing was written"), "{error}");
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn directories_with_entries_and_paths_without_a_parent_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "x").unwrap();
        for (path, message) in [
            (dir.path().to_owned(), "is not empty"),
            (dir.path().join("a"), "Not a directory"),
            (dir.path().join("b/c"), "its parent directory does not exist"),
        ] {
            let error = Target::check(&path).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert_eq!(names(dir.path()), ["a"]);
    }
}

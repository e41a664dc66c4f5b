//! The largest files of a volume, for the message that it is too large.

use std::fmt;

use crate::spec::file::RelativePath;

/// The largest files of a volume, at most three.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Largest(Vec<(usize, RelativePath)>);

impl Largest {
    /// The number of files that a message names.
    const MAX_FILES: usize = 3;

    pub(super) fn of<'a>(sizes: impl IntoIterator<Item = (usize, &'a RelativePath)>) -> Self {
        let mut largest = Self::default();
        for (bytes, path) in sizes {
            largest.note(bytes, path);
        }
        largest
    }

    /// Adds a file if it is among the largest. Of equal files, the first ones stay.
    pub(super) fn note(&mut self, bytes: usize, path: &RelativePath) {
        let place = self.0.partition_point(|(other, _)| *other >= bytes);
        if place < Self::MAX_FILES {
            self.0.truncate(Self::MAX_FILES - 1);
            self.0.insert(place, (bytes, path.clone()));
        }
    }
}

impl fmt::Display for Largest {
    /// Writes `a (25000 bytes), b (24000 bytes)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (bytes, path)) in self.0.iter().enumerate() {
            write!(f, "{}{path} ({bytes} bytes)", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

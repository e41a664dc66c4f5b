//! Prints findings.

pub(crate) mod json;
pub(crate) mod sarif;
pub(crate) mod text;

use crate::tools::class::source::Source;

use super::finding::Finding;

/// A file with its findings, in the order of the file.
#[derive(Debug)]
pub(crate) struct Report {
    /// The file.
    pub(crate) source: Source,
    /// The findings.
    pub(crate) findings: Vec<Finding>,
}

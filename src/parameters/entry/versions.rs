//! Parses the versions of an entry.

use std::str::FromStr;

use crate::{
    parameters::{
        error::Problem,
        integer::{self, InvalidInteger},
    },
    spec::object::VersionSelector,
};

use super::{
    Entry,
    reader::{Reader, text},
};

pub(super) fn parse(reader: &Reader<'_>, entry: &Entry) -> Result<VersionSelector, Problem> {
    let history: Option<WholeNumber> =
        reader.optional("objectVersionHistory", &entry.object_version_history)?;
    // provider-azure documents "latest" as a name of the newest version.
    let pinned = match text(&entry.object_version) {
        None => None,
        Some(version) if version.eq_ignore_ascii_case("latest") => None,
        Some(version) => Some(reader.value("objectVersion", version)?),
    };
    Ok(match usize::try_from(history.map_or(0, |WholeNumber(count)| count)) {
        Ok(depth) if depth > 1 => VersionSelector::History { from: pinned, depth },
        // Compat: a history of one or less is a single version, without a directory of its own.
        _ => pinned.map_or(VersionSelector::Newest, VersionSelector::Pinned),
    })
}

/// `objectVersionHistory`; all numbers below 2 mean the same.
struct WholeNumber(i32);

impl FromStr for WholeNumber {
    type Err = InvalidInteger;

    fn from_str(text: &str) -> Result<Self, InvalidInteger> {
        integer::parse(text).map(Self)
    }
}

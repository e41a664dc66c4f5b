//! Parses the versions of an entry.

use std::str::FromStr;

use crate::{
    parameters::{
        error::Problem,
        integer::{self, InvalidInteger},
    },
    spec::{
        object::{ObjectVersion, VersionSelector},
        version_choice::{VersionChoice, VersionPolicy},
    },
};

use super::{
    Entry,
    reader::{Reader, text},
};

pub(super) fn parse(reader: &Reader<'_>, entry: &Entry) -> Result<VersionSelector, Problem> {
    let history: Option<WholeNumber> =
        reader.optional("objectVersionHistory", &entry.object_version_history)?;
    let pinned = pinned(reader, &entry.object_version)?;
    // Compat: a history of one or less is a single version, without a directory of its own.
    let depth =
        usize::try_from(history.map_or(0, |WholeNumber(count)| count)).ok().filter(|depth| *depth > 1);
    let policy = reader.optional("objectVersionPolicy", &entry.object_version_policy)?;
    let not_after = reader.optional("objectNotAfter", &entry.object_not_after)?;
    let condition = match (policy, not_after) {
        (Some(_), _) => Some("objectVersionPolicy"),
        (None, Some(_)) => Some("objectNotAfter"),
        (None, None) => None,
    };
    match (condition, depth, pinned) {
        (Some(field), Some(_), _) => {
            Err(reader.wrong(field, "is not for objectVersionHistory, which mounts several versions"))
        }
        (Some(field), None, Some(_)) => {
            Err(reader.wrong(field, "is not for objectVersion, which names the version already"))
        }
        (Some(_), None, None) => {
            let choice = VersionChoice { policy: policy.unwrap_or_default(), not_after };
            Ok(match choice {
                VersionChoice { policy: VersionPolicy::Latest, not_after: None } => VersionSelector::Newest,
                choice => VersionSelector::Chosen(choice),
            })
        }
        (None, Some(depth), from) => Ok(VersionSelector::History { from, depth }),
        (None, None, pinned) => Ok(pinned.map_or(VersionSelector::Newest, VersionSelector::Pinned)),
    }
}

/// Parses `objectVersion`; `None` is the newest version.
pub(super) fn pinned(
    reader: &Reader<'_>,
    version: &Option<String>,
) -> Result<Option<ObjectVersion>, Problem> {
    match text(version) {
        None => Ok(None),
        // provider-azure documents "latest" as a name of the newest version.
        Some(version) if version.eq_ignore_ascii_case("latest") => Ok(None),
        Some(version) => reader.value("objectVersion", version).map(Some),
    }
}

/// `objectVersionHistory`; all numbers below 2 mean the same.
struct WholeNumber(i32);

impl FromStr for WholeNumber {
    type Err = InvalidInteger;

    fn from_str(text: &str) -> Result<Self, InvalidInteger> {
        integer::parse(text).map(Self)
    }
}

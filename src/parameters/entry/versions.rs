//! Parses the versions of an entry.

use std::str::FromStr;

use crate::{
    parameters::{
        error::{Problem, Problems},
        integer::{self, InvalidInteger},
        yaml::Scalar,
    },
    spec::{
        object::{ObjectVersion, VersionSelector},
        version_choice::{NotAfter, VersionChoice, VersionPolicy},
    },
};

use super::{
    Entry,
    reader::{Reader, is_set},
};

/// The versions of an entry, as far as they can be read.
#[derive(Debug)]
pub(super) struct Versions {
    /// `None` if any field has a problem.
    pub(super) selector: Option<VersionSelector>,
    pub(super) history: History,
}

impl Versions {
    pub(super) fn is_history(&self) -> bool {
        matches!(self.history, History::Of { .. })
    }
}

/// `objectVersionHistory`, whatever the other fields are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    /// A single version.
    None,
    Of {
        depth: usize,
    },
    /// The field has a problem, so the entry is one file or a directory.
    Unknown,
}

/// Parses the fields of an entry's versions. Adds all problems, at least one if there is no selector.
pub(super) fn parse(reader: &Reader<'_>, entry: &Entry, problems: &mut Problems) -> Versions {
    let before = problems.count();
    let pinned = problems.catch(pinned(reader, &entry.object_version));
    let history = reader.optional("objectVersionHistory", &entry.object_version_history);
    let history = match problems.catch(history) {
        None => History::Unknown,
        // Compat: a history of one or less is a single version, without a directory of its own.
        Some(count) => match usize::try_from(count.map_or(0, |WholeNumber(count)| count)) {
            Ok(depth @ 2..) => History::Of { depth },
            _ => History::None,
        },
    };
    let policy = problems.catch(reader.optional("objectVersionPolicy", &entry.object_version_policy));
    let not_after = problems.catch(reader.optional("objectNotAfter", &entry.object_not_after));
    for (field, value) in
        [("objectVersionPolicy", &entry.object_version_policy), ("objectNotAfter", &entry.object_not_after)]
    {
        if !is_set(value) {
            continue;
        }
        // A condition cannot stand here whatever its value, so one with an invalid value is refused too.
        if matches!(pinned, Some(Some(_))) {
            problems.push(reader.wrong(field, "is not for objectVersion, which names the version already"));
        }
        if matches!(history, History::Of { .. }) {
            let reason = "is not for objectVersionHistory, which mounts several versions";
            problems.push(reader.wrong(field, reason));
        }
    }
    let selector = match (pinned, policy, not_after) {
        (Some(pinned), Some(policy), Some(not_after)) if problems.count() == before => {
            Some(selector(pinned, history, policy.unwrap_or_default(), not_after))
        }
        _ => None,
    };
    Versions { selector, history }
}

fn selector(
    pinned: Option<ObjectVersion>,
    history: History,
    policy: VersionPolicy,
    not_after: Option<NotAfter>,
) -> VersionSelector {
    match (history, pinned, VersionChoice { policy, not_after }) {
        (History::Of { depth }, from, _) => VersionSelector::History { from, depth },
        (_, Some(version), _) => VersionSelector::Pinned(version),
        (_, None, VersionChoice { policy: VersionPolicy::Latest, not_after: None }) => {
            VersionSelector::Newest
        }
        (_, None, choice) => VersionSelector::Chosen(choice),
    }
}

/// Parses `objectVersion`; `None` is the newest version.
pub(super) fn pinned(reader: &Reader<'_>, version: &Scalar) -> Result<Option<ObjectVersion>, Problem> {
    match reader.text("objectVersion", version)? {
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

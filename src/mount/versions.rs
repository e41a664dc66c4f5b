//! Selects versions from the vault's list: those of a history, or the one that meets an entry's conditions.

use azure_core::time::OffsetDateTime;

use crate::{
    spec::{
        object::ObjectVersion,
        version_choice::{VersionChoice, VersionPolicy},
    },
    vault::{Lifecycle, VaultError, VersionProperties},
};

use super::failure::ObjectError;

/// Returns the versions of a history of `depth`, newest first, beginning at `from` or at the newest.
///
/// Disabled versions are skipped. The time of creation decides the order.
///
/// Compat: up to `depth + 1` versions, one more than the name says.
///
/// # Errors
/// The list has no version to begin with.
pub(super) fn select(
    listed: &[VersionProperties],
    from: Option<&ObjectVersion>,
    depth: usize,
) -> Result<Vec<ObjectVersion>, ObjectError> {
    if listed.is_empty() {
        return Err(ObjectError::NoVersions);
    }
    if let Some(from) = from {
        match listed.iter().find(|listed| listed.version == *from) {
            None => return Err(ObjectError::NoSuchVersion),
            Some(found) if !found.enabled => return Err(ObjectError::StartDisabled),
            Some(_) => {}
        }
    }
    let mut enabled: Vec<_> = listed.iter().filter(|listed| listed.enabled).collect();
    if enabled.is_empty() {
        return Err(ObjectError::AllDisabled);
    }
    enabled.sort_by_key(|listed| std::cmp::Reverse(listed.created));
    Ok(enabled
        .into_iter()
        .map(|listed| &listed.version)
        .skip_while(|version| from.is_some_and(|from| *version != from))
        .take(depth.saturating_add(1))
        .cloned()
        .collect())
}

/// Returns whether the newest version, which could be read, meets the conditions. Key Vault refuses to show a disabled
/// secret, but shows disabled certificates and keys (<https://github.com/Azure/azure-cli/issues/26044>).
pub(super) fn admits(choice: VersionChoice, lifecycle: &Lifecycle, now: OffsetDateTime) -> bool {
    let is_in_time = choice.not_after.is_none_or(|not_after| {
        // Without a time, only the list can tell.
        lifecycle.created.is_some_and(|created| created <= not_after.time())
    });
    let is_enabled = lifecycle.enabled != Some(false);
    is_in_time
        && match choice.policy {
            VersionPolicy::Latest => true,
            VersionPolicy::LatestEnabled => is_enabled,
            VersionPolicy::LatestValid => {
                is_enabled && is_valid(lifecycle.not_before, lifecycle.expires, now)
            }
        }
}

/// Returns whether the newest version, which could be read, is the chosen one and disabled.
///
/// Compat: without `objectNotAfter` a disabled certificate or key is mounted.
pub(super) fn chooses_disabled(choice: VersionChoice, lifecycle: &Lifecycle, now: OffsetDateTime) -> bool {
    choice.policy == VersionPolicy::Latest
        && choice.not_after.is_some()
        && lifecycle.enabled == Some(false)
        && admits(choice, lifecycle, now)
}

/// Returns whether another version may fit although the newest cannot be read.
pub(super) fn passes_over(choice: VersionChoice, error: &VaultError) -> bool {
    match error {
        VaultError::Disabled(_) => true,
        VaultError::NotValidNow(_) => {
            choice.policy == VersionPolicy::LatestValid || choice.not_after.is_some()
        }
        _ => false,
    }
}

/// Returns the newest version that meets the conditions. Of versions created in the same second, it is the one whose id
/// sorts last.
///
/// # Errors
/// There is no such version, or it is disabled.
pub(super) fn choose(
    listed: &[VersionProperties],
    choice: VersionChoice,
    now: OffsetDateTime,
) -> Result<&ObjectVersion, ObjectError> {
    if listed.is_empty() {
        return Err(ObjectError::NoVersions);
    }
    let fits = |version: &&VersionProperties| {
        choice.not_after.is_none_or(|not_after| version.created <= not_after.time())
            && match choice.policy {
                VersionPolicy::Latest => true,
                VersionPolicy::LatestEnabled => version.enabled,
                VersionPolicy::LatestValid => {
                    version.enabled && is_valid(version.not_before, version.expires, now)
                }
            }
    };
    let newest = listed.iter().filter(fits).max_by_key(|version| (version.created, &version.version));
    let newest = newest.ok_or(ObjectError::NoFittingVersion)?;
    if newest.enabled { Ok(&newest.version) } else { Err(ObjectError::ChosenDisabled) }
}

/// Returns whether a version is valid at `now`.
pub(super) fn is_valid(
    not_before: Option<OffsetDateTime>,
    expires: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> bool {
    not_before.is_none_or(|start| start <= now) && expires.is_none_or(|end| now < end)
}

#[cfg(test)]
mod tests {
    use azure_core::time::Duration;

    use super::*;

    fn listed(versions: &[(&str, i64, bool)]) -> Vec<VersionProperties> {
        versions
            .iter()
            .map(|(version, created, enabled)| VersionProperties {
                version: version.parse().unwrap(),
                enabled: *enabled,
                created: OffsetDateTime::UNIX_EPOCH + Duration::seconds(*created),
                not_before: None,
                expires: None,
            })
            .collect()
    }

    #[test]
    fn a_history_is_newest_first_and_one_longer_than_asked() {
        let all =
            listed(&[("b", 20, true), ("d", 40, true), ("a", 10, true), ("c", 30, false), ("e", 50, true)]);
        for (from, depth, expected) in [
            (None, 2, "e d b"),
            (None, 3, "e d b a"),
            (None, 99, "e d b a"),
            (None, usize::MAX, "e d b a"),
            (Some("d"), 2, "d b a"),
            (Some("a"), 2, "a"),
        ] {
            let from = from.map(|from: &str| from.parse().unwrap());
            let selected = select(&all, from.as_ref(), depth).unwrap();
            let selected: Vec<&str> = selected.iter().map(ObjectVersion::as_str).collect();
            assert_eq!(selected.join(" "), expected, "{from:?} {depth}");
        }
    }

    #[test]
    fn a_history_needs_a_version_to_begin_with() {
        let some = listed(&[("a", 10, true), ("b", 20, false)]);
        let start = |from: &str| select(&some, Some(&from.parse().unwrap()), 2);
        assert!(matches!(start("b"), Err(ObjectError::StartDisabled)));
        assert!(matches!(start("x"), Err(ObjectError::NoSuchVersion)));
        assert!(matches!(select(&listed(&[]), None, 2), Err(ObjectError::NoVersions)));
        assert!(matches!(select(&listed(&[("a", 1, false)]), None, 2), Err(ObjectError::AllDisabled)));
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    /// Versions by id: creation, whether it is enabled, `nbf` and `exp`.
    fn all() -> Vec<VersionProperties> {
        [
            ("a", 10, true, None, None),
            ("b", 20, true, None, Some(1_000)),
            ("d", 30, true, Some(900), None),
            ("c", 30, true, None, Some(100)),
            ("e", 40, false, None, None),
        ]
        .map(|(version, created, enabled, not_before, expires)| VersionProperties {
            version: version.parse().unwrap(),
            enabled,
            created: at(created),
            not_before: not_before.map(at),
            expires: expires.map(at),
        })
        .into()
    }

    fn choice(policy: VersionPolicy, not_after: Option<&str>) -> VersionChoice {
        VersionChoice { policy, not_after: not_after.map(|time| time.parse().unwrap()) }
    }

    #[test]
    fn the_newest_version_that_fits_is_chosen() {
        use VersionPolicy::{Latest, LatestEnabled, LatestValid};
        for (policy, not_after, now, expected) in [
            (Latest, Some("1970-01-01T00:00:40Z"), 500, Err("ChosenDisabled")),
            (Latest, Some("1970-01-01T00:00:39Z"), 500, Ok("d")),
            (Latest, Some("1970-01-01T00:00Z"), 500, Err("NoFittingVersion")),
            (LatestEnabled, None, 500, Ok("d")),
            (LatestEnabled, Some("1970-01-01T00:00:20Z"), 500, Ok("b")),
            (LatestValid, None, 500, Ok("b")),
            (LatestValid, None, 899, Ok("b")),
            (LatestValid, None, 900, Ok("d")),
            (LatestValid, None, 99, Ok("c")),
            (LatestValid, None, 100, Ok("b")),
            (LatestValid, Some("1970-01-01T00:00:20Z"), 1_000, Ok("a")),
            (LatestValid, Some("1970-01-01T00:00:09Z"), 500, Err("NoFittingVersion")),
        ] {
            let all = all();
            let chosen = choose(&all, choice(policy, not_after), at(now));
            let chosen = chosen.map(ObjectVersion::as_str).map_err(|error| format!("{error:?}"));
            assert_eq!(chosen, expected.map_err(ToOwned::to_owned), "{policy:?} {not_after:?} {now}");
        }
        let none = choose(&[], choice(LatestEnabled, None), at(0));
        assert!(matches!(none, Err(ObjectError::NoVersions)));
    }

    #[test]
    fn the_newest_version_fits_by_its_own_times() {
        use VersionPolicy::{Latest, LatestEnabled, LatestValid};
        let lifecycle = Lifecycle {
            created: Some(at(20)),
            not_before: Some(at(30)),
            expires: Some(at(40)),
            ..Lifecycle::default()
        };
        for (policy, not_after, now, expected) in [
            (LatestEnabled, None, 50, true),
            (LatestValid, None, 29, false),
            (LatestValid, None, 30, true),
            (LatestValid, None, 40, false),
            (Latest, Some("1970-01-01T00:00:20Z"), 50, true),
            (Latest, Some("1970-01-01T00:00:19Z"), 50, false),
        ] {
            let fits = admits(choice(policy, not_after), &lifecycle, at(now));
            assert_eq!(fits, expected, "{policy:?} {not_after:?} {now}");
        }
        let disabled = Lifecycle { enabled: Some(false), ..lifecycle };
        for (policy, expected) in [(Latest, true), (LatestEnabled, false), (LatestValid, false)] {
            assert_eq!(
                admits(choice(policy, None), &disabled, at(35)),
                expected,
                "{policy:?} of a certificate"
            );
        }
        let chosen = choice(Latest, Some("1970-01-01T00:00:20Z"));
        assert!(chooses_disabled(chosen, &disabled, at(35)));
        let too_early = choice(Latest, Some("1970-01-01T00:00:19Z"));
        assert!(!chooses_disabled(too_early, &disabled, at(35)), "an older one is chosen");
        assert!(!chooses_disabled(choice(Latest, None), &disabled, at(35)));
        let unknown = Lifecycle::default();
        assert!(!admits(choice(Latest, Some("2100-01-01T00:00Z")), &unknown, at(0)));
        assert!(admits(choice(LatestValid, None), &unknown, at(0)));
    }
}

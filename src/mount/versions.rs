//! Selects the versions of a history from the vault's list.

use crate::{spec::object::ObjectVersion, vault::VersionProperties};

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

#[cfg(test)]
mod tests {
    use azure_core::time::{Duration, OffsetDateTime};

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
}

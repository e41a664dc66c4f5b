//! Which version of an object a mount wants, where the newest may not fit.

use std::{fmt, str::FromStr};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The conditions of a version. The newest version that meets them is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionChoice {
    /// `objectVersionPolicy`
    pub policy: VersionPolicy,
    /// `objectNotAfter`: the version was created at this time or before.
    pub not_after: Option<NotAfter>,
}

/// The state that a version must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VersionPolicy {
    /// `latest`: any state.
    #[default]
    Latest,
    /// `latestEnabled`: enabled.
    LatestEnabled,
    /// `latestValid`: enabled, and valid now.
    LatestValid,
}

/// A text is not an `objectVersionPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is unknown; use latest, latestEnabled or latestValid")]
pub struct UnknownPolicy;

impl FromStr for VersionPolicy {
    type Err = UnknownPolicy;

    /// Parses a policy in any case.
    fn from_str(text: &str) -> Result<Self, UnknownPolicy> {
        match text.to_ascii_lowercase().as_str() {
            "latest" => Ok(Self::Latest),
            "latestenabled" => Ok(Self::LatestEnabled),
            "latestvalid" => Ok(Self::LatestValid),
            _ => Err(UnknownPolicy),
        }
    }
}

/// A moment in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotAfter(OffsetDateTime);

impl NotAfter {
    /// Returns the moment.
    pub fn time(self) -> OffsetDateTime {
        self.0
    }
}

/// A text is not an `objectNotAfter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time with a zone; use RFC 3339, such as 2026-06-05T19:41Z or 2026-06-05T21:41:30+02:00")]
pub struct InvalidTime;

impl FromStr for NotAfter {
    type Err = InvalidTime;

    /// Parses RFC 3339, with or without seconds.
    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        // RFC 3339 has seconds; the peers that name this field leave them out.
        let minutes = "2026-06-05T19:41".len();
        let has_seconds = text.as_bytes().get(minutes) == Some(&b':');
        let full = match text.get(..minutes).zip(text.get(minutes..)) {
            Some((start, zone)) if !has_seconds => format!("{start}:00{zone}"),
            _ => text.to_owned(),
        };
        OffsetDateTime::parse(&full, &Rfc3339).map(Self).map_err(|_| InvalidTime)
    }
}

impl fmt::Display for NotAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only a year beyond 9999 cannot be written, and none was parsed.
        f.write_str(&self.0.format(&Rfc3339).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_in_any_case() {
        for (text, expected) in [
            ("latest", Ok(VersionPolicy::Latest)),
            ("latestEnabled", Ok(VersionPolicy::LatestEnabled)),
            ("LATESTVALID", Ok(VersionPolicy::LatestValid)),
            ("newest", Err(UnknownPolicy)),
            ("", Err(UnknownPolicy)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }

    #[test]
    fn a_time_has_a_zone_and_seconds_as_one_likes() {
        for (text, expected) in [
            ("2026-06-05T19:41Z", Some("2026-06-05T19:41:00Z")),
            ("2026-06-05T19:41:30Z", Some("2026-06-05T19:41:30Z")),
            ("2026-06-05T19:41:30.5Z", Some("2026-06-05T19:41:30.5Z")),
            ("2026-06-05T21:41+02:00", Some("2026-06-05T21:41:00+02:00")),
            ("2026-06-05T21:41:00-02:30", Some("2026-06-05T21:41:00-02:30")),
            ("2026-06-05", None),
            ("2026-06-05T19:41", None),
            ("2026-06-05T19:41:30", None),
            ("2026-06-05T25:00Z", None),
            ("2026-02-30T00:00Z", None),
            ("yesterday", None),
            ("2026-06-05T19:4äZ", None),
            ("", None),
        ] {
            let parsed: Result<NotAfter, _> = text.parse();
            assert_eq!(parsed.ok().map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
        let zones: [NotAfter; 2] =
            ["2026-06-05T19:41Z", "2026-06-05T21:41+02:00"].map(|text| text.parse().unwrap());
        assert_eq!(zones[0].time(), zones[1].time());
    }
}

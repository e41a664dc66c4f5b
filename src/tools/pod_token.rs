//! The claims of the pod's token, for the person that made it.

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{identity::UnverifiedClaims, spec::identity::ServiceAccountToken};

/// The claims of a service-account token. Nothing has verified them yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PodToken {
    /// `iss`
    pub(crate) issuer: String,
    /// `sub`
    pub(crate) subject: String,
    /// `aud`, the first of several.
    pub(crate) audience: String,
    /// `exp`, if the token has one.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) expires: Option<OffsetDateTime>,
}

impl PodToken {
    /// Parses a token; `None` if the text is not one.
    pub(crate) fn of(token: &ServiceAccountToken) -> Option<Self> {
        let UnverifiedClaims { issuer, subject, audience } = UnverifiedClaims::of(token)?;
        let expires =
            UnverifiedClaims::expiry_of(token).and_then(|exp| OffsetDateTime::from_unix_timestamp(exp).ok());
        Some(Self { issuer, subject, audience, expires })
    }

    /// Returns namespace and name of the service account that the subject names.
    pub(crate) fn service_account(&self) -> Option<(&str, &str)> {
        self.subject.strip_prefix("system:serviceaccount:")?.split_once(':')
    }

    /// Returns since when the token has expired, if it has.
    pub(crate) fn expired(&self, now: OffsetDateTime) -> Option<Expired> {
        let at = self.expires.filter(|expires| *expires <= now)?;
        Some(Expired { at: timestamp(at), ago: span(now - at), renew: self.renew() })
    }

    /// Returns the command that makes a new token.
    fn renew(&self) -> String {
        let (namespace, name) = self.service_account().unwrap_or(("NAMESPACE", "SERVICE-ACCOUNT"));
        create(namespace, name, &self.audience)
    }
}

/// Returns the command that makes a token of a service account.
pub(crate) fn create(namespace: &str, service_account: &str, audience: &str) -> String {
    format!("kubectl create token {service_account} --namespace {namespace} --audience {audience}")
}

/// A token that has expired.
#[derive(Debug)]
pub(crate) struct Expired {
    /// The time of its expiry.
    pub(crate) at: String,
    /// Since its expiry, such as `61 minutes`.
    pub(crate) ago: String,
    /// The command that makes a new one.
    pub(crate) renew: String,
}

/// Formats a time as RFC 3339.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.unix_timestamp().to_string())
}

/// Formats a span in its largest unit that leaves more than one: `61 minutes`, `3 days`.
pub(crate) fn span(span: time::Duration) -> String {
    let seconds = span.whole_seconds().unsigned_abs();
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (-119, "119 seconds"),
            (3_660, "61 minutes"),
            (7_200, "2 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(span(time::Duration::seconds(seconds)), expected);
        }
    }

    #[test]
    fn an_expired_token_names_the_command_that_makes_a_new_one() {
        let token = PodToken {
            issuer: "https://i".to_owned(),
            subject: "system:serviceaccount:shop:web".to_owned(),
            audience: "api://AzureADTokenExchange".to_owned(),
            expires: Some(OffsetDateTime::UNIX_EPOCH),
        };
        let expired = token.expired(OffsetDateTime::UNIX_EPOCH + time::Duration::HOUR).unwrap();
        assert_eq!((expired.at.as_str(), expired.ago.as_str()), ("1970-01-01T00:00:00Z", "60 minutes"));
        assert_eq!(
            expired.renew,
            "kubectl create token web --namespace shop --audience api://AzureADTokenExchange"
        );
        assert!(token.expired(OffsetDateTime::UNIX_EPOCH - time::Duration::SECOND).is_none());
    }
}

//! `Retry-After` and similar headers: the time at which a service accepts the next try.

use std::time::{Duration, SystemTime};

use azure_core::{
    http::headers::{HeaderName, Headers, RETRY_AFTER, RETRY_AFTER_MS, X_MS_RETRY_AFTER_MS},
    time::{OffsetDateTime, parse_rfc7231},
};

/// Returns the wait that a response names, if any. The first readable header counts, in the SDK's own order, since
/// the SDK waits by these headers too.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    let milliseconds = |name: HeaderName| {
        let text = headers.get_optional_str(&name)?;
        text.trim().parse().ok().map(Duration::from_millis)
    };
    milliseconds(X_MS_RETRY_AFTER_MS)
        .or_else(|| milliseconds(RETRY_AFTER_MS))
        .or_else(|| parse(headers.get_optional_str(&RETRY_AFTER)?, SystemTime::now()))
}

/// Parses seconds, or a date (RFC 9110 section 10.2.3), as the time from `now` on. Returns `None` for an unreadable
/// value.
pub fn parse(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let left = parse_rfc7231(text).ok()? - OffsetDateTime::from(now);
    Some(left.try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // 26 November 2026.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_651_200);
        let parse = |text: &str| parse(text, now);
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("18446744073709551615"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("Fri, 01 Jan 2021 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(parse("Thu, 26 Nov 2026 00:01:30 GMT"), Some(Duration::from_secs(90)));
        for text in ["", "-1", "1.5", "soon", "99999999999999999999", "Fri, 99 Jan 2021 00:00:00 GMT"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_headers_that_the_sdk_waits_by_are_read_in_its_order() {
        let mut headers = Headers::new();
        assert_eq!(retry_after(&headers), None);
        for (name, text, said) in [
            ("retry-after", "7", 7_000),
            ("retry-after-ms", "300000", 300_000),
            ("retry-after-ms", "soon", 7_000),
            ("retry-after-ms", "250", 250),
            ("x-ms-retry-after-ms", "600000", 600_000),
            ("x-ms-retry-after-ms", "-1", 250),
            ("x-ms-retry-after-ms", "0", 0),
        ] {
            headers.insert(name, text);
            assert_eq!(retry_after(&headers), Some(Duration::from_millis(said)), "{name}: {text}");
        }
    }
}

//! `Retry-After`: when whoever cannot answer now wants to be asked again.

use std::time::Duration;

use azure_core::{
    http::headers::{Headers, RETRY_AFTER},
    time::{OffsetDateTime, parse_rfc7231},
};

/// Seconds, or a date (RFC 9110 section 10.2.3). One that cannot be read says nothing.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    let text = headers.get_optional_str(&RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let left = parse_rfc7231(text).ok()? - OffsetDateTime::now_utc();
    Some(left.try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let parse = |text: &str| {
            let mut headers = Headers::new();
            headers.insert(RETRY_AFTER, text.to_owned());
            retry_after(&headers)
        };
        assert_eq!(parse("7"), Some(Duration::from_secs(7)));
        assert_eq!(parse(" 0 "), Some(Duration::ZERO));
        assert_eq!(parse("18446744073709551615"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(parse("Fri, 01 Jan 2021 00:00:00 GMT"), Some(Duration::ZERO));
        assert!(parse("Fri, 01 Jan 2100 00:00:00 GMT").unwrap() > Duration::from_secs(1 << 30));
        for text in ["", "-1", "1.5", "soon", "99999999999999999999", "Fri, 99 Jan 2021 00:00:00 GMT"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(retry_after(&Headers::new()), None);
    }
}

//! The caller's own deadline, from the gRPC header that carries it.

use std::time::Duration;

use tonic::codegen::http::HeaderMap;

/// How long before the caller's deadline the answer is due. At the deadline the caller's own side reports
/// `DeadlineExceeded`, one of the codes that leave a pod with an empty volume.
const DEADLINE_MARGIN: Duration = Duration::from_millis(500);

/// Returns how long a call with these headers may take; `None` if its caller has no deadline.
pub(super) fn time_left(headers: &HeaderMap) -> Option<Duration> {
    let timeout = parse(headers.get("grpc-timeout")?.to_str().ok()?)?;
    Some(timeout.saturating_sub(DEADLINE_MARGIN).max(timeout / 2))
}

/// Parses the value of `grpc-timeout`: up to eight digits and a unit. Returns `None` for anything else
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>, `TimeoutValue` and `TimeoutUnit`).
pub fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_have_a_unit() {
        for (text, expected) in [
            ("2M", Some(120_000)),
            ("119995m", Some(119_995)),
            ("5000000u", Some(5_000)),
            ("1H", Some(3_600_000)),
            ("3S", Some(3_000)),
            ("99999999H", Some(359_999_996_400_000)),
            ("", None),
            ("5", None),
            ("S", None),
            ("123456789S", None),
            ("-1S", None),
            ("5ä", None),
        ] {
            assert_eq!(parse(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn the_caller_is_answered_before_its_deadline() {
        for (timeout, expected) in [("2M", 119_500), ("1S", 500), ("600m", 300), ("0m", 0)] {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", timeout.parse().unwrap());
            assert_eq!(time_left(&headers), Some(Duration::from_millis(expected)), "{timeout}");
        }
        assert_eq!(time_left(&HeaderMap::new()), None);
    }
}

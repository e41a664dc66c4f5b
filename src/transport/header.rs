//! The headers of answers, as the SDK stores them.

use azure_core::http::headers::{HeaderName, Headers};
use http::{HeaderMap, StatusCode, header};

/// What is kept of a successful answer's headers. Nothing else of them is read, and to store a dozen more takes a tenth
/// of the time of a read. Of an error all are kept.
static KEPT_OF_SUCCESS: [http::HeaderName; 3] =
    [header::CONTENT_TYPE, header::DATE, http::HeaderName::from_static("x-ms-request-id")];

/// Returns the headers, one value for a name. Repeated headers are a list (RFC 9110, section 5.3), such as two challenges
/// in two lines. `Set-Cookie` cannot be a list, and equal values in a row count once.
pub(super) fn headers(status: StatusCode, of: &HeaderMap) -> Headers {
    let mut headers = Headers::new();
    let mut keep = |name: &http::HeaderName| {
        let mut values: Vec<&str> = of.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        values.dedup();
        if name == header::SET_COOKIE {
            values.truncate(1);
        }
        if !values.is_empty() {
            headers.insert(name.as_str().to_owned(), values.join(", "));
        }
    };
    if status.is_success() {
        KEPT_OF_SUCCESS.iter().for_each(&mut keep);
    } else {
        of.keys().for_each(keep);
    }
    headers
}

/// Returns the value of a header. `Headers::get_optional_str` formats an error for each header that is absent, and
/// takes a multiple of the time.
pub(crate) fn header<'a>(headers: &'a Headers, name: &HeaderName) -> Option<&'a str> {
    headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_header_is_found_by_its_name() {
        let mut headers = Headers::new();
        assert_eq!(header(&headers, &HeaderName::from_static("date")), None);
        headers.insert("date", "Mon, 30 Nov 2026 00:00:00 GMT");
        headers.insert("x-ms-request-id", "1");
        for (name, value) in
            [("date", Some("Mon, 30 Nov 2026 00:00:00 GMT")), ("x-ms-request-id", Some("1")), ("via", None)]
        {
            let name = HeaderName::from_static(name);
            assert_eq!(header(&headers, &name), value);
            assert_eq!(headers.get_optional_str(&name), value);
        }
    }

    #[test]
    fn a_challenge_in_the_first_of_two_lines_is_seen() {
        let mut answer = HeaderMap::new();
        for (name, value) in [
            ("www-authenticate", "Bearer authorization=\"https://login.example/t\""),
            ("retry-after", "7"),
            ("www-authenticate", "Basic realm=\"r\""),
            ("retry-after", "7"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ] {
            answer.append(name, HeaderValue::from_static(value));
        }
        answer.append("x-odd", HeaderValue::from_bytes(b"\xff").unwrap());
        let seen = headers(StatusCode::UNAUTHORIZED, &answer);
        let value = |name: &'static str| seen.get_optional_str(&HeaderName::from_static(name));
        assert_eq!(
            value("www-authenticate"),
            Some("Bearer authorization=\"https://login.example/t\", Basic realm=\"r\"")
        );
        assert_eq!(value("retry-after"), Some("7"), "a repetition adds nothing");
        assert_eq!(value("set-cookie"), Some("a=1"));
        assert_eq!(value("x-odd"), None);
    }

    #[test]
    fn of_a_success_only_what_is_read_is_kept() {
        let mut answer = HeaderMap::new();
        for name in
            ["date", "pragma", "content-type", "x-ms-keyvault-region", "x-ms-request-id", "set-cookie"]
        {
            answer.append(name, HeaderValue::from_static("1"));
        }
        let names = |status| {
            let seen = headers(status, &answer);
            let mut names: Vec<_> = seen.iter().map(|(name, _)| name.as_str().to_owned()).collect();
            names.sort();
            names
        };
        assert_eq!(names(StatusCode::OK), ["content-type", "date", "x-ms-request-id"]);
        assert_eq!(names(StatusCode::BAD_GATEWAY).len(), 6);
    }
}

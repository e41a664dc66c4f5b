//! The headers of requests and answers, as the SDK stores them.

use azure_core::http::headers::{HeaderName, Headers};

/// Returns the value of a header. `Headers::get_optional_str` formats an error for each header that is absent, and
/// takes a multiple of the time.
pub(crate) fn header<'a>(headers: &'a Headers, name: &HeaderName) -> Option<&'a str> {
    headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
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
}

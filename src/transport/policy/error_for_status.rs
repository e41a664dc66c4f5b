//! Conversion of error responses into errors, for responses that the SDK would handle in another way.

use azure_core::{
    error::{Error, ErrorKind},
    http::AsyncRawResponse,
};

/// Returns an error with the whole response in it, and `why` as its message. If the body breaks off, returns the
/// error of reading it.
pub(crate) async fn error_for_status(response: AsyncRawResponse, why: &'static str) -> Error {
    match response.try_into_raw_response().await {
        Ok(raw) => {
            let kind = ErrorKind::HttpResponse {
                status: raw.status(),
                error_code: None,
                raw_response: Some(Box::new(raw)),
            };
            Error::with_message(kind, why)
        }
        Err(error) => error,
    }
}

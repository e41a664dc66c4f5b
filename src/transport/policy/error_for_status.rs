//! An answer of no success as an error, where the SDK would do with the answer what we would not have it do.

use azure_core::{
    error::{Error, ErrorKind},
    http::AsyncRawResponse,
};

/// Such an error: whoever gets it finds the whole answer in it, and `why` it is none. Where the body breaks off, the error
/// is that.
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

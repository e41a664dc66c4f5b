//! The HTTP answer of an emulated service.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use serde::Serialize;

use crate::body::AnswerBody;

/// Status, headers and whole body, before they are sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// Client id of the caller that the service accepted, for the journal.
    pub(crate) caller: Option<String>,
}

impl Answer {
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("values made of strings and numbers have a JSON form");
        Self::raw(status, JSON, Bytes::from(body))
    }

    pub(crate) fn text(status: StatusCode, body: &str) -> Self {
        Self::raw(status, HeaderValue::from_static("text/plain; charset=utf-8"), Bytes::from(body.to_owned()))
    }

    pub(crate) fn raw(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        Self { status, headers: vec![(CONTENT_TYPE, content_type)], body, caller: None }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        // 307 keeps method and body, which makes it the redirect that would give away the most.
        Self::text(StatusCode::TEMPORARY_REDIRECT, "").header_text(LOCATION, to)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds a header unless its value cannot stand in one.
    pub(crate) fn header_text(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.header(name, value),
            Err(_) => self,
        }
    }

    pub(crate) fn retry_after(self, seconds: Option<u64>) -> Self {
        match seconds {
            Some(seconds) => self.header(RETRY_AFTER, HeaderValue::from(seconds)),
            None => self,
        }
    }

    pub(crate) fn caller(self, client_id: &str) -> Self {
        Self { caller: Some(client_id.to_owned()), ..self }
    }

    pub(crate) fn into_response(self, body: impl FnOnce(Bytes) -> AnswerBody) -> Response<AnswerBody> {
        let mut response = Response::new(body(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers.into_iter().map(|(name, value)| (Some(name), value)));
        response
    }
}

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

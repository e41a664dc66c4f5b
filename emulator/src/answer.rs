//! HTTP answers of the emulated services.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use serde::Serialize;
use serde_json::Value;

use crate::body::AnswerBody;

/// An answer that is not sent yet: status, headers and whole body.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
    /// The accepted caller's client id, for the journal.
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

    /// Creates an answer with these headers alone. Headers that HTTP does not allow are left out.
    pub(crate) fn foreign(code: u16, headers: &[(String, String)], body: String) -> Self {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let allowed = |(name, value): &(String, String)| {
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        };
        let headers = headers.iter().filter_map(allowed).collect();
        Self { status, headers, body: Bytes::from(body), caller: None }
    }

    /// Replaces all fields around the access token. An answer without a token is unchanged.
    pub(crate) fn with_token_fields(self, mut fields: Value) -> Self {
        let own: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let issued = own.get("token").unwrap_or(&own).get("access_token");
        let Some(token) = issued.filter(|_| self.status.is_success()) else { return self };
        match fields.get_mut("token") {
            Some(Value::Object(nested)) => nested.insert("access_token".to_owned(), token.clone()),
            _ => fields
                .as_object_mut()
                .and_then(|fields| fields.insert("access_token".to_owned(), token.clone())),
        };
        Self { body: Bytes::from(fields.to_string()), ..self }
    }

    pub(crate) fn redirect(to: &str) -> Self {
        // 307 keeps method and body, so it is the redirect that could leak the most.
        Self::text(StatusCode::TEMPORARY_REDIRECT, "").header_text(LOCATION, to)
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds a header, unless HTTP does not allow its value.
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

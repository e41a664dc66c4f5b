//! A request in the journal.

use std::{ops::Deref, time::Duration};

use crate::route::RequestHead;

/// A recorded request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The index among all requests since the start, from 0.
    pub number: u64,
    /// The time of arrival, since the emulator's start.
    pub at: Duration,
    /// The time until the answer; `None` while the request has no answer.
    pub took: Option<Duration>,
    /// Method, host and path.
    pub head: RequestHead,
    /// The status of the answer; `None` while the request has no answer, and always if the connection was dropped.
    pub status: Option<u16>,
    /// The caller's client id. At a vault, it is the accepted token's, elsewhere that of the identity which got a
    /// token.
    pub caller: Option<String>,
    /// The size of the answer's body, in bytes.
    pub bytes: u64,
}

impl Entry {
    /// Returns method, path and status in one line, as in `GET /secrets/db-password/ 200`; `-` means no answer.
    #[must_use]
    pub fn line(&self) -> String {
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        format!("{} {} {status}", self.head.method, self.head.path)
    }
}

impl Deref for Entry {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.head
    }
}

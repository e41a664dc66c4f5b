//! One request in the journal.

use std::{ops::Deref, time::Duration};

use crate::route::RequestHead;

/// One request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Position among all requests since the start, from 0.
    pub number: u64,
    /// Arrival, counted from the emulator's start.
    pub at: Duration,
    /// How long the answer took; `None` while there is none.
    pub took: Option<Duration>,
    /// What was asked.
    pub head: RequestHead,
    /// The status answered; `None` while there is no answer, or for good when the connection was dropped.
    pub status: Option<u16>,
    /// Client id of the caller: of an accepted token at a vault, of the identity a token was issued to elsewhere.
    pub caller: Option<String>,
    /// Size of the answer's body.
    pub bytes: u64,
}

impl Entry {
    /// Method, path and status in one line, as in `GET /secrets/db-password/ 200`; `-` stands for no answer.
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

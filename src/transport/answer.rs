//! Reads the bodies of answers, of which a bounded number of bytes is in memory at once.

use std::{sync::Arc, time::Duration};

use azure_core::error::{Error, ErrorKind};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::permits_by_name::{Permit, PermitsByName};

use super::{connect::EndlessAnswer, failure::has_cause};

/// The longest answer that is read, in bytes. Azure's longest answers, a page of a list or a secret of 25,000
/// characters, are far below. A longer answer is an attempt to fill the memory, and the allocator keeps memory once
/// it has it.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The longest answer that needs no permit, in bytes: a secret of 25,000 characters.
const MAX_SMALL_ANSWER: usize = 32 << 10;

/// The most longer answers that are read at once, over all hosts.
const MAX_LARGE_ANSWERS: usize = 16;

/// The most of them from one host.
const MAX_LARGE_ANSWERS_OF_HOST: usize = MAX_LARGE_ANSWERS / 2;

/// What is read of an error, in bytes. Azure's errors take less than one KiB, and the title of a proxy's page is at its
/// beginning.
const MAX_ERROR_BYTES: usize = 16 << 10;

/// What is read of an error after which the SDK may send the request again, in bytes. It keeps the answer while it waits,
/// and then the request counts nowhere as in flight.
const MAX_RETRIED_BYTES: usize = 4 << 10;

/// A reader of bodies. Clones share its permits.
#[derive(Clone)]
pub(super) struct AnswerReader {
    large: PermitsByName,
    read_idle: Duration,
}

/// An error of a response that is missing or unusable.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResponseError {
    /// The host sent nothing for this time.
    #[error("no answer within {} seconds", .0.as_secs_f32())]
    Silence(Duration),
    /// The answer began, and its next part did not arrive within this time.
    #[error("the answer stopped in its middle for {} seconds", .0.as_secs_f32())]
    Stopped(Duration),
    /// A long answer did not arrive as a whole within this time.
    #[error("the answer is long, and did not end within {} seconds", .0.as_secs_f32())]
    Slow(Duration),
    /// The answer is longer than the limit.
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes")]
    TooLong,
    /// The answer does not begin, or its next part does not, whatever the host sends.
    #[error(transparent)]
    Endless(EndlessAnswer),
}

impl AnswerReader {
    /// Creates a reader that waits this long for each part of a body.
    pub(super) fn new(read_idle: Duration) -> Self {
        Self { large: PermitsByName::new(MAX_LARGE_ANSWERS, MAX_LARGE_ANSWERS_OF_HOST), read_idle }
    }

    /// Returns the body, in memory that is wiped when its last reader is done: it may hold a secret. Of an error, returns
    /// the beginning.
    ///
    /// # Errors
    /// The body does not arrive, or it is too long.
    pub(super) async fn read(
        &self,
        host: &str,
        status: StatusCode,
        body: Incoming,
    ) -> azure_core::Result<Bytes> {
        if status.is_success() { self.whole(host, body).await } else { self.beginning(status, body).await }
    }

    async fn whole(&self, host: &str, mut body: Incoming) -> azure_core::Result<Bytes> {
        let announced = usize::try_from(hyper::body::Body::size_hint(&body).lower()).unwrap_or(usize::MAX);
        if announced > MAX_ANSWER_BYTES {
            return Err(refused(ResponseError::TooLong));
        }
        let mut permit = self.permit_of(host, announced).await;
        // Reserves the announced length at once: a buffer that grows is copied, and wiping costs time for each reserved
        // byte.
        let mut whole = Zeroizing::new(Vec::with_capacity(announced));
        loop {
            let read = self.frames(&mut body, &mut whole, permit.is_some());
            let ended = match &permit {
                None => read.await?,
                // So that nobody holds a permit for as long as it likes.
                Some(_) => {
                    let slow = |_| lost(ResponseError::Slow(self.read_idle));
                    timeout(self.read_idle, read).await.map_err(slow)??
                }
            };
            if ended {
                return Ok(Bytes::from_owner(whole));
            }
            permit = self.permit_of(host, MAX_ANSWER_BYTES).await;
        }
    }

    /// Reads to the end, or until there is more than a small answer has. Returns whether it is the end.
    async fn frames(
        &self,
        body: &mut Incoming,
        whole: &mut Zeroizing<Vec<u8>>,
        may_be_large: bool,
    ) -> azure_core::Result<bool> {
        while let Some(data) = self.data(body).await? {
            if whole.len() + data.len() > MAX_ANSWER_BYTES {
                return Err(refused(ResponseError::TooLong));
            }
            append(whole, &data);
            if whole.len() > MAX_SMALL_ANSWER && !may_be_large {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn beginning(&self, status: StatusCode, mut body: Incoming) -> azure_core::Result<Bytes> {
        let may_be_retried = status.is_server_error()
            || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        let most = if may_be_retried { MAX_RETRIED_BYTES } else { MAX_ERROR_BYTES };
        let mut beginning = Zeroizing::new(Vec::new());
        while beginning.len() < most
            && let Some(data) = self.data(&mut body).await?
        {
            let left = most - beginning.len();
            append(&mut beginning, &data[..data.len().min(left)]);
        }
        Ok(Bytes::from_owner(beginning))
    }

    /// Returns the next bytes of a body; `None` at its end.
    async fn data(&self, body: &mut Incoming) -> azure_core::Result<Option<Bytes>> {
        let stopped = |_| lost(ResponseError::Stopped(self.read_idle));
        while let Some(frame) = timeout(self.read_idle, body.frame()).await.map_err(stopped)? {
            if let Ok(data) = frame.map_err(broken_off)?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn permit_of(&self, host: &str, bytes: usize) -> Option<Permit> {
        if bytes <= MAX_SMALL_ANSWER {
            return None;
        }
        Some(self.large.of(&Arc::from(host)).acquire().await)
    }
}

/// Appends to the buffer. If it is too small, moves it to a larger one and wipes the old one.
fn append(whole: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    if whole.capacity() - whole.len() < data.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity((whole.len() + data.len()) * 2));
        larger.extend_from_slice(whole);
        *whole = larger;
    }
    whole.extend_from_slice(data);
}

/// Returns an error that the SDK may retry.
pub(super) fn lost(error: ResponseError) -> Error {
    Error::with_error(ErrorKind::Io, error, "the request failed")
}

/// Returns an error that the SDK does not retry.
pub(super) fn refused(error: ResponseError) -> Error {
    Error::with_error(ErrorKind::Other, error, "the answer was refused")
}

/// Returns the error of an answer whose next part cannot be read.
fn broken_off(error: hyper::Error) -> Error {
    if has_cause::<EndlessAnswer>(&error) {
        return refused(ResponseError::Endless(EndlessAnswer));
    }
    Error::with_error(ErrorKind::Io, error, "the answer broke off")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use azure_core::http::{HttpClient, Method, Request, Url};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use crate::{
        report::Report,
        transport::{Client, Observer, Proxy, Resolver, Route, Timeouts},
    };

    use super::*;

    /// It would otherwise keep one of the few permits for as long as it likes.
    #[tokio::test]
    async fn a_long_answer_that_comes_byte_by_byte_is_given_up() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url: Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let trickle = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_SMALL_ANSWER + 1);
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let timeouts =
            Timeouts { read_idle: Duration::from_secs(1), ..Timeouts::within(Duration::from_secs(90)) };
        let (proxy, names, observer) = (Proxy::none(), Resolver::system(), Observer::none());
        let client = Client::new(Route { roots: None, proxy, names, timeouts, observer });
        let answer = client.execute_request(&Request::new(url, Method::Get)).await;
        let error = answer.expect_err("the answer does not end");
        let error = Report(&error).to_string();
        assert!(error.contains("the answer is long, and did not end within 1 seconds"), "{error}");
        trickle.abort();
    }
}

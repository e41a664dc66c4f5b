//! Receives large requests a few at a time. A request is in memory as a whole before it is parsed, and the driver sends
//! any number at once. A large request that finds no room in time is answered before its caller's deadline.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use hyper::body::{Frame, SizeHint};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tonic::{Status, body::Body, codegen::http::Request};
use tower::{Layer, Service};

use crate::{metrics::Metrics, mount::Deadline};

use super::{
    deadline,
    status::{self, Failed},
};

/// The largest request that is received at once with any number of others, in bytes. A request of twenty objects has
/// less than ten KiB.
pub(super) const MAX_SMALL_BYTES: usize = 16 << 10;

/// The largest request of medium size, in bytes: of several hundred objects.
pub(super) const MAX_MEDIUM_BYTES: usize = 64 << 10;

/// Requests of medium size that are in memory at once.
const MAX_MEDIUM: usize = 8;

/// Large requests that are in memory at once: one that is parsed, and one that arrives meanwhile.
const MAX_LARGE: usize = 2;

/// What the driver may send of one request before the provider reads it, in bytes: HTTP/2's stream window. Each large
/// request that waits holds two of it, one that was read and one that came after it. A longer request arrives in
/// several, each with the next turn of the socket. A frame that waits keeps the whole block of 8 KiB that h2 read it
/// into, and two frames of this size fit into one.
pub(super) const STREAM_WINDOW: u32 = 4_000;

/// What the driver may send of all requests. It has room for the windows of all requests that wait: if those filled it,
/// the request that they wait for could not arrive.
pub(super) const CONNECTION_WINDOW: u32 = i32::MAX as u32;

/// A tower layer that receives large requests a few at a time, in order of arrival. A namespace cannot be given turns: it is
/// known once its request is there.
#[derive(Debug, Clone)]
pub(super) struct ReceiveLayer {
    rooms: Rooms,
    /// `--mount-timeout`.
    timeout: Duration,
    metrics: Metrics,
}

/// The room for requests that wait. Large ones do not delay those of medium size.
#[derive(Debug, Clone)]
struct Rooms {
    medium: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A service whose large requests arrive a few at a time.
#[derive(Debug, Clone)]
pub(super) struct Receive<S> {
    below: S,
    layer: ReceiveLayer,
}

/// An extension of each request: its deadline, and the permit of a large one.
#[derive(Debug, Clone)]
pub(super) struct Received {
    /// The deadline of the mount. The time to receive the request counts.
    pub(super) deadline: Deadline,
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl ReceiveLayer {
    /// Creates a layer for mounts of this time limit, which counts refused requests in `metrics`.
    pub(super) fn new(timeout: Duration, metrics: Metrics) -> Self {
        let rooms = Rooms {
            medium: Arc::new(Semaphore::new(MAX_MEDIUM)),
            large: Arc::new(Semaphore::new(MAX_LARGE)),
        };
        Self { rooms, timeout, metrics }
    }
}

impl<S> Layer<S> for ReceiveLayer {
    type Service = Receive<S>;

    fn layer(&self, below: S) -> Receive<S> {
        Receive { below, layer: self.clone() }
    }
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for Receive<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.below.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (mut head, body) = request.into_parts();
        let received = Received::now(self.layer.timeout, deadline::time_left(&head.headers));
        head.extensions.insert(received.clone());
        let body = ReceivedBody { body, layer: self.layer.clone(), received, state: State::First };
        self.below.call(Request::from_parts(head, Body::new(body)))
    }
}

impl Received {
    /// Returns the extension of a request that begins to arrive now, and whose caller waits for `time_left`.
    pub(super) fn now(timeout: Duration, time_left: Option<Duration>) -> Self {
        Self { deadline: Deadline::new(Instant::now(), timeout, time_left), permit: Arc::default() }
    }

    /// Takes the permit of a large request. The request is in memory until it is dropped.
    pub(super) fn take_permit(&self) -> Option<OwnedSemaphorePermit> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set_permit(&self, permit: Option<OwnedSemaphorePermit>) {
        *self.permit.lock().unwrap_or_else(PoisonError::into_inner) = permit;
    }
}

/// The body of a request, of which a large one waits after its first frame.
struct ReceivedBody {
    body: Body,
    layer: ReceiveLayer,
    received: Received,
    state: State,
}

enum State {
    First,
    Waiting { first: Option<Frame<Bytes>>, permit: BoxFuture<'static, Option<OwnedSemaphorePermit>> },
    Arriving,
}

impl ReceivedBody {
    /// Returns the answer to a request that found no room in time.
    fn refuse(&self) -> Status {
        let Failed { code, status, .. } = status::not_received(self.received.deadline.budget);
        self.layer.metrics.failure(code);
        tracing::warn!(code = ?status.code(), error = ?status.message(), "large request refused");
        status
    }
}

impl hyper::body::Body for ReceivedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::First => {
                    let first = ready!(Pin::new(&mut this.body).poll_frame(context));
                    let data = first.as_ref().and_then(|first| first.as_ref().ok()?.data_ref());
                    match (data.and_then(|data| this.layer.rooms.of(data)), first) {
                        (Some(room), Some(Ok(first))) => {
                            let permit = Box::pin(permit_of(room, this.received.deadline.until));
                            this.state = State::Waiting { first: Some(first), permit };
                        }
                        (_, first) => {
                            this.state = State::Arriving;
                            return Poll::Ready(first);
                        }
                    }
                }
                State::Waiting { first, permit } => {
                    let permit = ready!(permit.as_mut().poll(context));
                    let first = first.take().map(Ok);
                    this.state = State::Arriving;
                    if permit.is_none() {
                        return Poll::Ready(Some(Err(this.refuse())));
                    }
                    this.received.set_permit(permit);
                    return Poll::Ready(first);
                }
                State::Arriving => return Pin::new(&mut this.body).poll_frame(context),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !matches!(self.state, State::Waiting { .. }) && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Waits for a permit of a room; `None` if there is none in time.
async fn permit_of(room: Arc<Semaphore>, until: Instant) -> Option<OwnedSemaphorePermit> {
    let permit = timeout_at(until, room.acquire_owned()).await.ok()?;
    Some(permit.expect("the semaphore is never closed"))
}

impl Rooms {
    /// Returns the room that the message that begins with `data` needs; `None` for a small one. Each message has a prefix:
    /// a byte, and four bytes of its length
    /// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>, `Length-Prefixed-Message`).
    fn of(&self, data: &[u8]) -> Option<Arc<Semaphore>> {
        let length = match data {
            [_, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
            // A driver sends the prefix in one frame.
            _ => usize::MAX,
        };
        if length <= MAX_SMALL_BYTES {
            None
        } else if length <= MAX_MEDIUM_BYTES {
            Some(self.medium.clone())
        } else {
            Some(self.large.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::{BodyExt, Full};
    use tonic::Code;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(90);

    fn layer() -> ReceiveLayer {
        ReceiveLayer::new(TIMEOUT, Metrics::new(false))
    }

    /// Returns a body of a message of this length, and what its handler gets.
    fn message(layer: &ReceiveLayer, length: usize) -> (ReceivedBody, Received) {
        message_within(layer, length, None)
    }

    /// Like [`message`], of a caller that waits for `time_left`.
    fn message_within(
        layer: &ReceiveLayer,
        length: usize,
        time_left: Option<Duration>,
    ) -> (ReceivedBody, Received) {
        let mut bytes = vec![0];
        bytes.extend((length as u32).to_be_bytes());
        bytes.resize(5 + length, b'x');
        let received = Received::now(layer.timeout, time_left);
        let body = Body::new(Full::new(Bytes::from(bytes)).map_err(|never| match never {}));
        let (layer, state) = (layer.clone(), State::First);
        (ReceivedBody { body, layer, received: received.clone(), state }, received)
    }

    #[tokio::test]
    async fn large_requests_arrive_two_at_a_time_and_small_ones_at_once() {
        let layer = layer();
        let large = || message(&layer, MAX_MEDIUM_BYTES + 1);
        let mut arrived = Vec::new();
        for _ in 0..MAX_LARGE {
            let (body, received) = large();
            let bytes = body.collect().now_or_never().unwrap().unwrap().to_bytes();
            assert_eq!(bytes.len(), 5 + MAX_MEDIUM_BYTES + 1);
            arrived.push(received);
        }
        let (body, waits) = large();
        let mut body = Box::pin(body.collect());
        assert!((&mut body).now_or_never().is_none());
        for length in [MAX_SMALL_BYTES, MAX_SMALL_BYTES + 1, MAX_MEDIUM_BYTES] {
            let (smaller, _) = message(&layer, length);
            assert!(smaller.collect().now_or_never().is_some(), "{length} bytes");
        }

        // As if it were parsed.
        drop(arrived.pop().unwrap().take_permit());
        assert!((&mut body).now_or_never().is_some());
        assert!(waits.take_permit().is_some() && waits.take_permit().is_none());
    }

    #[tokio::test]
    async fn requests_of_medium_size_arrive_eight_at_a_time() {
        let layer = layer();
        let medium = || message(&layer, MAX_SMALL_BYTES + 1);
        let mut arrived: Vec<_> = std::iter::from_fn(|| {
            let (body, received) = medium();
            body.collect().now_or_never().map(|_| received)
        })
        .take(20)
        .collect();
        assert_eq!(arrived.len(), MAX_MEDIUM);
        let (body, _) = medium();
        let mut body = Box::pin(body.collect());
        assert!((&mut body).now_or_never().is_none());
        drop(arrived.pop().unwrap().take_permit());
        assert!((&mut body).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_large_request_whose_caller_goes_away_makes_room() {
        let layer = layer();
        let requests: Vec<_> = (0..20).map(|_| message(&layer, 1 << 20)).collect();
        for (body, received) in requests {
            assert!(body.collect().now_or_never().is_some());
            drop(received);
        }
        assert_eq!(layer.rooms.large.available_permits(), MAX_LARGE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_request_that_finds_no_room_is_answered_before_its_callers_deadline() {
        let layer = layer();
        for (length, number) in [(MAX_MEDIUM_BYTES + 1, MAX_LARGE), (MAX_MEDIUM_BYTES, MAX_MEDIUM)] {
            let mut arrived = Vec::new();
            for _ in 0..number {
                let (body, received) = message(&layer, length);
                assert!(body.collect().now_or_never().unwrap().is_ok());
                arrived.push(received);
            }
            for (seconds, limit, text) in [
                (30, Duration::from_secs(30), "timed out at the caller's deadline in the queue"),
                (119, TIMEOUT, "timed out after 90s in the queue"),
            ] {
                let begun = Instant::now();
                let (body, received) = message_within(&layer, length, Some(Duration::from_secs(seconds)));
                let status = body.collect().await.unwrap_err();
                assert!((limit..limit + Duration::from_millis(100)).contains(&begun.elapsed()));
                assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
                assert!(status.message().contains(text), "{status}");
                assert!(received.take_permit().is_none());
            }
        }
        let page = layer.metrics.page();
        assert!(page.contains("akv_failures_total{code=\"AKV-TimeoutQueued\"} 4"), "{page}");
    }
}

//! Receives large requests a few at a time. A request is in memory as a whole before it is parsed, and the driver sends
//! any number at once.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tonic::{Status, body::Body, codegen::http::Request};
use tower::{Layer, Service};

/// The largest request that is received at once with any number of others, in bytes. A request of twenty objects has
/// less than ten KiB.
pub(super) const MAX_SMALL_BYTES: usize = 64 << 10;

/// Large requests that are in memory at once: one that is parsed, and one that arrives meanwhile.
const MAX_LARGE: usize = 2;

/// What the driver may send of one request before the provider reads it, in bytes: HTTP/2's stream window. Each large
/// request that waits holds two of it, one that was read and one that came after it. A longer request arrives in
/// several, each a few microseconds later on the socket.
pub(super) const STREAM_WINDOW: u32 = 8 << 10;

/// What the driver may send of all requests. It has room for the windows of all requests that wait: if those filled it,
/// the request that they wait for could not arrive.
pub(super) const CONNECTION_WINDOW: u32 = i32::MAX as u32;

/// A tower layer that receives large requests a few at a time.
#[derive(Debug, Clone)]
pub(super) struct ReceiveLayer {
    large: Arc<Semaphore>,
}

/// A service whose large requests arrive a few at a time.
#[derive(Debug, Clone)]
pub(super) struct Receive<S> {
    below: S,
    large: Arc<Semaphore>,
}

/// An extension of each request: when it began to arrive, and the permit of a large one.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) at: Instant,
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl ReceiveLayer {
    pub(super) fn new() -> Self {
        Self { large: Arc::new(Semaphore::new(MAX_LARGE)) }
    }
}

impl<S> Layer<S> for ReceiveLayer {
    type Service = Receive<S>;

    fn layer(&self, below: S) -> Receive<S> {
        Receive { below, large: self.large.clone() }
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
        let received = Received { at: Instant::now(), permit: Arc::default() };
        head.extensions.insert(received.clone());
        let body = ReceivedBody { body, large: self.large.clone(), received, state: State::First };
        self.below.call(Request::from_parts(head, Body::new(body)))
    }
}

impl Received {
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
    large: Arc<Semaphore>,
    received: Received,
    state: State,
}

enum State {
    First,
    Waiting {
        first: Option<Frame<Bytes>>,
        permit: BoxFuture<'static, Result<OwnedSemaphorePermit, AcquireError>>,
    },
    Arriving,
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
                State::First => match ready!(Pin::new(&mut this.body).poll_frame(context)) {
                    Some(Ok(first)) if first.data_ref().is_some_and(|data| is_large(data)) => {
                        let permit = Box::pin(this.large.clone().acquire_owned());
                        this.state = State::Waiting { first: Some(first), permit };
                    }
                    other => {
                        this.state = State::Arriving;
                        return Poll::Ready(other);
                    }
                },
                State::Waiting { first, permit } => {
                    this.received.set_permit(ready!(permit.as_mut().poll(context)).ok());
                    let first = first.take().map(Ok);
                    this.state = State::Arriving;
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

/// Returns whether the message that begins with `data` is large. Each message has a prefix: a byte, and four bytes of
/// its length (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests>, `Length-Prefixed-Message`).
fn is_large(data: &[u8]) -> bool {
    match data {
        [_, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize > MAX_SMALL_BYTES,
        // A driver sends the prefix in one frame.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body_util::{BodyExt, Full};

    use super::*;

    /// Returns a body of a message of this length, and what its handler gets.
    fn message(layer: &ReceiveLayer, length: usize) -> (ReceivedBody, Received) {
        let mut bytes = vec![0];
        bytes.extend((length as u32).to_be_bytes());
        bytes.resize(5 + length, b'x');
        let received = Received { at: Instant::now(), permit: Arc::default() };
        let body = Body::new(Full::new(Bytes::from(bytes)).map_err(|never| match never {}));
        let (large, state) = (layer.large.clone(), State::First);
        (ReceivedBody { body, large, received: received.clone(), state }, received)
    }

    #[test]
    fn large_requests_arrive_two_at_a_time_and_small_ones_at_once() {
        let layer = ReceiveLayer::new();
        let large = || message(&layer, MAX_SMALL_BYTES + 1);
        let mut arrived = Vec::new();
        for _ in 0..MAX_LARGE {
            let (body, received) = large();
            let bytes = body.collect().now_or_never().unwrap().unwrap().to_bytes();
            assert_eq!(bytes.len(), 5 + MAX_SMALL_BYTES + 1);
            arrived.push(received);
        }
        let (body, waits) = large();
        let mut body = Box::pin(body.collect());
        assert!((&mut body).now_or_never().is_none());
        let (small, _) = message(&layer, MAX_SMALL_BYTES);
        assert!(small.collect().now_or_never().is_some());

        // As if it were parsed.
        drop(arrived.pop().unwrap().take_permit());
        assert!((&mut body).now_or_never().is_some());
        assert!(waits.take_permit().is_some() && waits.take_permit().is_none());
    }

    #[test]
    fn a_large_request_whose_caller_goes_away_makes_room() {
        let layer = ReceiveLayer::new();
        let requests: Vec<_> = (0..20).map(|_| message(&layer, 1 << 20)).collect();
        for (body, received) in requests {
            assert!(body.collect().now_or_never().is_some());
            drop(received);
        }
        assert_eq!(layer.large.available_permits(), MAX_LARGE);
    }
}

//! Tells a mount whether its answer was sent.
//!
//! The caller may go away before it has read the answer. HTTP/2 sends no byte beyond what the caller is ready to take.
//! So as far as the server can know, an answer has reached its caller when its last byte may be sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tonic::{
    Status,
    codegen::http::{Request, Response},
};
use tower::{Layer, Service};

use crate::mount::Receipt;

/// A tower layer that confirms the [`Receipt`] in a response's extensions, once the response has been sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeliveryLayer;

impl<S> Layer<S> for DeliveryLayer {
    type Service = Delivery<S>;

    fn layer(&self, below: S) -> Delivery<S> {
        Delivery { below }
    }
}

/// A service whose responses confirm their receipts.
#[derive(Debug, Clone)]
pub(super) struct Delivery<S> {
    below: S,
}

impl<S, B> Service<Request<B>> for Delivery<S>
where
    S: Service<Request<B>, Response = Response<tonic::body::Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<tonic::body::Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.below.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let response = self.below.call(request);
        Box::pin(async move {
            let (mut head, body) = response.await?.into_parts();
            let body = match head.extensions.remove::<Arc<Receipt>>() {
                Some(receipt) => tonic::body::Body::new(ReceiptBody { body, receipt, last_byte: None }),
                None => body,
            };
            Ok(Response::from_parts(head, body))
        })
    }
}

/// A body that confirms its receipt once its last byte may be sent.
///
/// hyper asks for the next frame as soon as the caller takes the first byte of a frame. So the last byte of the message
/// is a frame of its own.
struct ReceiptBody {
    body: tonic::body::Body,
    receipt: Arc<Receipt>,
    last_byte: Option<Bytes>,
}

/// A part of the answer, which holds the receipt until it was sent.
struct Part {
    bytes: Bytes,
    _receipt: Arc<Receipt>,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body for ReceiptBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(last_byte) = self.last_byte.take() {
            return Poll::Ready(Some(Ok(Frame::data(last_byte))));
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            end => return Poll::Ready(end),
        };
        Poll::Ready(Some(Ok(match frame.into_data() {
            Ok(mut bytes) => {
                if bytes.len() > 1 {
                    self.last_byte = Some(bytes.split_off(bytes.len() - 1));
                }
                Frame::data(Bytes::from_owner(Part { bytes, _receipt: self.receipt.clone() }))
            }
            Err(trailers) => {
                self.receipt.delivered();
                trailers
            }
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.last_byte.is_none() && self.body.is_end_stream()
    }
}

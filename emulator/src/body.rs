//! Response bodies: whole, or broken by a fault.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// A response body that hyper polls.
pub(crate) struct AnswerBody {
    /// The value of `content-length`, if the header is sent.
    promised: Option<u64>,
    flow: Flow,
}

enum Flow {
    Whole(Bytes),
    /// Sends `part`, lets it be flushed, and then breaks the connection.
    Cut {
        part: Bytes,
        flushed: bool,
    },
    /// Sends `part`, and then nothing more.
    Hang {
        part: Bytes,
    },
    /// Sends `left` bytes of filler between an opening and a closing part.
    Huge {
        open: Bytes,
        left: u64,
        close: Bytes,
    },
    /// Sends `step` bytes, waits, and repeats.
    Slow {
        rest: Bytes,
        step: usize,
        pause: Duration,
        sleep: Pin<Box<Sleep>>,
    },
}

impl AnswerBody {
    pub(crate) fn whole(body: Bytes) -> Self {
        Self { promised: Some(body.len() as u64), flow: Flow::Whole(body) }
    }

    pub(crate) fn cut(body: &Bytes, after: usize) -> Self {
        let part = body.slice(..after.min(body.len()));
        // If the cut is behind the body's end, one byte more is promised, so that the body still breaks.
        let promised = (body.len() as u64).max(part.len() as u64 + 1);
        Self { promised: Some(promised), flow: Flow::Cut { part, flushed: false } }
    }

    pub(crate) fn hang(body: &Bytes) -> Self {
        let part = body.slice(..body.len() / 2);
        Self { promised: Some(body.len().max(1) as u64), flow: Flow::Hang { part } }
    }

    pub(crate) fn huge(size: u64) -> Self {
        let (open, close) = (Bytes::from_static(HUGE_OPEN), Bytes::from_static(HUGE_CLOSE));
        let left = size.saturating_sub((open.len() + close.len()) as u64);
        let promised = left + (open.len() + close.len()) as u64;
        Self { promised: Some(promised), flow: Flow::Huge { open, left, close } }
    }

    /// Removes the promised length, so that the body is sent in chunks.
    pub(crate) fn unannounced(self) -> Self {
        Self { promised: None, ..self }
    }

    pub(crate) fn slow(body: Bytes, step: usize, pause: Duration) -> Self {
        let sleep = Box::pin(tokio::time::sleep(pause));
        let promised = Some(body.len() as u64);
        Self { promised, flow: Flow::Slow { rest: body, step: step.max(1), pause, sleep } }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let frame = match &mut self.get_mut().flow {
            Flow::Whole(body) => std::mem::take(body),
            Flow::Cut { part, flushed } => match (part.is_empty(), *flushed) {
                (false, _) => std::mem::take(part),
                (true, false) => {
                    // One pending poll lets hyper flush its buffer before it sees the failure.
                    *flushed = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                (true, true) => {
                    return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionAborted))));
                }
            },
            Flow::Hang { part } if part.is_empty() => return Poll::Pending,
            Flow::Hang { part } => std::mem::take(part),
            Flow::Huge { open, .. } if !open.is_empty() => std::mem::take(open),
            Flow::Huge { left: 0, close, .. } => std::mem::take(close),
            Flow::Huge { left, .. } => {
                let step = usize::try_from(*left).unwrap_or(usize::MAX).min(FILLER.len());
                *left -= step as u64;
                Bytes::from_static(FILLER).slice(..step)
            }
            Flow::Slow { rest, .. } if rest.is_empty() => Bytes::new(),
            Flow::Slow { rest, step, pause, sleep } => {
                ready!(sleep.as_mut().poll(cx));
                let next = tokio::time::Instant::now() + *pause;
                sleep.as_mut().reset(next);
                rest.split_to((*step).min(rest.len()))
            }
        };
        Poll::Ready((!frame.is_empty()).then(|| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.flow, Flow::Whole(body) if body.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        self.promised.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

static FILLER: &[u8] = &[b'a'; 64 * 1024];
const HUGE_OPEN: &[u8] = br#"{"value":""#;
const HUGE_CLOSE: &[u8] = br#""}"#;

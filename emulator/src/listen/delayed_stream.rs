//! A stream whose answers arrive a round trip later.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::delay_queue::Flight;
use crate::{
    latency::RoundTrip,
    timer::{Alarm, Alarms},
};

/// Whether the delay of TCP's own handshake has already passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It has not: the first answer waits for it.
    Ahead,
    /// It has: the proxy waited before it answered for the tunnel.
    Done,
}

/// A stream whose other end is a round trip away. Bandwidth is not limited.
///
/// The whole round trip is spent on the way back. A server only reacts, so to its client it makes no difference in which
/// direction the time passes, and one timer costs half as much as two.
#[derive(Debug)]
pub(crate) struct Distant<S> {
    near: S,
    round_trip: RoundTrip,
    /// The earliest time at which the client's first byte can have been sent; `None` once it was answered.
    opens: Option<Instant>,
    outbound: Flight,
    departure: Alarm,
}

impl<S> Distant<S> {
    pub(super) fn new(near: S, round_trip: RoundTrip, opening: Opening, alarms: &Alarms) -> Self {
        let handshake = round_trip.get();
        let ahead = opening == Opening::Ahead && !handshake.is_zero();
        Self {
            near,
            round_trip,
            opens: ahead.then(|| Instant::now() + handshake),
            outbound: Flight::default(),
            departure: alarms.alarm(),
        }
    }

    /// Returns the stream at this end.
    pub(super) fn near(&self) -> &S {
        &self.near
    }

    fn writes_at_once(&self) -> bool {
        self.outbound.is_empty() && self.opens.is_none() && self.round_trip.get().is_zero()
    }
}

impl<S: AsyncWrite + Unpin> Distant<S> {
    /// Delivers what has arrived at the client by now; ready once nothing is left.
    pub(super) fn deliver(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(arrival) = self.outbound.next() {
            if let Some(piece) = self.outbound.arrived(Instant::now()) {
                let written = ready!(Pin::new(&mut self.near).poll_write(cx, piece))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.outbound.take(written);
            } else {
                ready!(self.departure.poll(arrival, cx));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Delivers what has arrived, and does not wait for the rest. The next poll of either direction continues.
    fn begin_delivery(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.deliver(cx) {
            Poll::Ready(delivered) => delivered,
            Poll::Pending => Ok(()),
        }
    }

    fn send(&mut self, cx: &mut Context<'_>, piece: Bytes) -> Poll<io::Result<usize>> {
        if self.outbound.size() >= MAX_BUFFERED_BYTES {
            ready!(self.deliver(cx))?;
        }
        let size = piece.len();
        if size > 0 {
            let now = Instant::now();
            let asked = self.opens.take().map_or(now, |opens| opens.max(now));
            self.outbound.send(piece, asked + self.round_trip.get());
            self.begin_delivery(cx)?;
        }
        Poll::Ready(Ok(size))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Distant<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.begin_delivery(cx)?;
        Pin::new(&mut this.near).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Distant<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.writes_at_once() {
            return Pin::new(&mut this.near).poll_write(cx, bytes);
        }
        this.send(cx, Bytes::copy_from_slice(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.writes_at_once() {
            return Pin::new(&mut this.near).poll_write_vectored(cx, slices);
        }
        let piece: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        this.send(cx, Bytes::from(piece))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Like a socket's, a flush does not wait for arrival: a server that waited would read its next request late.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.begin_delivery(cx)?;
        Pin::new(&mut this.near).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.deliver(cx))?;
        Pin::new(&mut this.near).poll_shutdown(cx)
    }
}

/// Bytes in transit: more than any test sends, and less than all memory.
const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;

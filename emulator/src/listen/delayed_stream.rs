//! A stream whose bytes arrive half a round trip later in each direction.

use std::{
    io,
    mem::{self, MaybeUninit},
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
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
    /// It has not: the client's first bytes wait for it.
    Ahead,
    /// It has: the proxy waited before it answered for the tunnel.
    Done,
}

/// A stream whose other end is half a round trip away in each direction. Bandwidth is not limited.
#[derive(Debug)]
pub(crate) struct Distant<S> {
    near: S,
    round_trip: RoundTrip,
    /// The earliest time of the client's first byte; `None` once the byte was received.
    opens: Option<Instant>,
    inbound: Flight,
    arrival: Alarm,
    ended: bool,
    /// The delay between the last piece's arrival and its read. The next answer is sent that much earlier, so that a
    /// round trip does not include the wake-up time twice.
    late: Duration,
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
            inbound: Flight::default(),
            arrival: alarms.alarm(),
            ended: false,
            late: Duration::ZERO,
            outbound: Flight::default(),
            departure: alarms.alarm(),
        }
    }

    /// Returns the stream at this end.
    pub(super) fn near(&self) -> &S {
        &self.near
    }

    /// Returns whether reads need no delay now.
    fn reads_at_once(&self) -> bool {
        self.inbound.is_empty() && self.opens.is_none() && self.round_trip.get().is_zero()
    }

    fn writes_at_once(&self) -> bool {
        self.outbound.is_empty() && self.round_trip.get().is_zero()
    }
}

impl<S: AsyncRead + Unpin> Distant<S> {
    /// Receives everything that the client has sent by now.
    fn receive(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.ended && self.inbound.size() < MAX_BUFFERED_BYTES {
            let mut space = [const { MaybeUninit::uninit() }; PIECE];
            let mut piece = ReadBuf::uninit(&mut space);
            match Pin::new(&mut self.near).poll_read(cx, &mut piece) {
                Poll::Ready(read) => read?,
                Poll::Pending => break,
            }
            let now = Instant::now();
            let sent = self.opens.take().map_or(now, |opens| opens.max(now));
            // The end of the stream is an empty piece, so it is delayed like any other.
            self.ended = piece.filled().is_empty();
            self.inbound.send(Bytes::copy_from_slice(piece.filled()), sent + self.round_trip.get() / 2);
        }
        Ok(())
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

    fn send(&mut self, cx: &mut Context<'_>, piece: Bytes) -> Poll<io::Result<usize>> {
        if self.outbound.size() >= MAX_BUFFERED_BYTES {
            ready!(self.deliver(cx))?;
        }
        let size = piece.len();
        if size > 0 {
            let way = (self.round_trip.get() / 2).saturating_sub(mem::take(&mut self.late));
            self.outbound.send(piece, Instant::now() + way);
            // A flush is not required: the next poll of either direction continues the delivery.
            if let Poll::Ready(Err(error)) = self.deliver(cx) {
                return Poll::Ready(Err(error));
            }
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
        if let Poll::Ready(Err(error)) = this.deliver(cx) {
            return Poll::Ready(Err(error));
        }
        if this.reads_at_once() {
            return Pin::new(&mut this.near).poll_read(cx, buffer);
        }
        this.receive(cx)?;
        loop {
            let Some(arrival) = this.inbound.next() else { return Poll::Pending };
            let now = Instant::now();
            if let Some(piece) = this.inbound.arrived(now) {
                let size = piece.len().min(buffer.remaining());
                buffer.put_slice(&piece[..size]);
                this.late = now - arrival;
                if size > 0 {
                    this.inbound.take(size);
                }
                return Poll::Ready(Ok(()));
            }
            ready!(this.arrival.poll(arrival, cx));
        }
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

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.deliver(cx))?;
        Pin::new(&mut this.near).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.deliver(cx))?;
        Pin::new(&mut this.near).poll_shutdown(cx)
    }
}

const PIECE: usize = 16 * 1024;
/// Bytes in transit in one direction: more than any test sends, and less than all memory.
const MAX_BUFFERED_BYTES: usize = 64 * 1024 * 1024;

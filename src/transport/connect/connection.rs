//! Connections over TCP, TLS or a tunnel.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

use super::connection_count::CountGuard;

/// The most bytes that a connection receives for one request, once decrypted. hyper bounds a head, and the reader of
/// answers a body. Neither bounds `100 Continue` that never ends, or zeros before the size of a chunk. The longest body
/// takes six times its length if each byte is a chunk.
const MAX_RECEIVED_BYTES: usize = 8 << 20;

/// How long after it was opened an unused connection counts as new.
const MAX_NEW: Duration = Duration::from_secs(1);

/// A stream over TCP, over TLS on TCP, or over TLS in a tunnel that is TLS itself.
pub(in crate::transport) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<Stream>>),
}

impl Stream {
    /// Returns the address at the other end of the TCP connection, if the system still knows it.
    pub(in crate::transport) fn peer_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            Self::Tls(stream) => stream.get_ref().0.peer_address(),
        }
    }

    /// Returns the certificate of the TLS peer, in DER.
    pub(in crate::transport) fn peer_certificate(&self) -> Option<Vec<u8>> {
        match self {
            Self::Tcp(_) => None,
            Self::Tls(stream) => Some(stream.get_ref().1.peer_certificates()?.first()?.to_vec()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, buffer),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

/// A pooled connection. It counts among its host's connections until it is dropped.
pub(in crate::transport) struct PooledConnection {
    stream: TokioIo<Stream>,
    /// The bytes that were received since the newest request.
    received: usize,
    uses: Uses,
    _counted: CountGuard,
}

impl PooledConnection {
    pub(in crate::transport) fn new(stream: Stream, counted: CountGuard) -> Self {
        let uses = Uses::of_new(Instant::now());
        Self { stream: TokioIo::new(stream), received: 0, uses, _counted: counted }
    }

    /// Marks the connection as used: it has waited for its first request, and may have died like a used one.
    pub(in crate::transport) fn kept(self) -> Self {
        self.uses.add();
        self
    }

    /// Returns the stream to send a part of a request. Its answer is counted from now on.
    fn for_request(&mut self) -> Pin<&mut TokioIo<Stream>> {
        self.received = 0;
        Pin::new(&mut self.stream)
    }
}

/// An error of an answer that is too long, with everything that belongs to it.
#[derive(Debug, thiserror::Error)]
#[error("the answer took more than {MAX_RECEIVED_BYTES} bytes of its connection")]
pub(in crate::transport) struct EndlessAnswer;

/// A stream whose received bytes are counted, and bounded.
struct Counted<'a> {
    stream: &'a mut Stream,
    received: &'a mut usize,
}

impl AsyncRead for Counted<'_> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *this.stream).poll_read(context, buffer))?;
        *this.received += buffer.filled().len() - before;
        if *this.received > MAX_RECEIVED_BYTES {
            return Poll::Ready(Err(io::Error::other(EndlessAnswer)));
        }
        Poll::Ready(Ok(()))
    }
}

/// The age of a connection, and its number of uses, or waits for use. Clones share the number.
#[derive(Debug, Clone)]
pub(in crate::transport) struct Uses {
    opened: Instant,
    number: Arc<AtomicU32>,
}

impl Uses {
    /// Returns those of a connection that was opened at `opened`.
    fn of_new(opened: Instant) -> Self {
        Self { opened, number: Arc::default() }
    }

    /// Returns those of a connection.
    pub(in crate::transport) fn of(connected: &Connected) -> Option<Self> {
        let mut extras = http::Extensions::new();
        connected.get_extras(&mut extras);
        extras.remove()
    }

    /// Returns whether the connection may have died before a request that began at `begin`: it was used before, or was
    /// open for a while. hyper opens connections that no request needs in the end.
    pub(in crate::transport) fn may_have_died(&self, begin: Instant) -> bool {
        self.number.load(Ordering::Relaxed) > 0 || begin.saturating_duration_since(self.opened) > MAX_NEW
    }

    /// Counts one more use.
    pub(in crate::transport) fn add(&self) {
        self.number.fetch_add(1, Ordering::Relaxed);
    }
}

impl Connection for PooledConnection {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.uses.clone())
    }
}

impl hyper::rt::Read for PooledConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, received, .. } = self.get_mut();
        let mut counted = TokioIo::new(Counted { stream: stream.inner_mut(), received });
        Pin::new(&mut counted).poll_read(context, buffer)
    }
}

impl hyper::rt::Write for PooledConnection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().for_request().poll_write(context, buffer)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().for_request().poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

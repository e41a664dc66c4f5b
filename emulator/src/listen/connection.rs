//! An HTTP/1.1 connection, and how a fault ends it.

use std::{future::poll_fn, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{
    delayed_stream::Distant,
    peer::{End, Entrance, Peer},
    request::respond,
};
use crate::azure::Azure;

/// A stream over TCP.
pub(super) trait OverTcp {
    fn tcp(&self) -> &TcpStream;

    /// Waits until all written bytes have arrived, as TCP does with a closed connection.
    fn deliver(self) -> impl Future<Output = ()> + Send;
}

impl OverTcp for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }

    async fn deliver(self) {}
}

impl OverTcp for TlsStream<Distant<TcpStream>> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0.near()
    }

    async fn deliver(self) {
        let (mut distant, _) = self.into_inner();
        // If the client is gone, the bytes are lost anyway.
        let _ = poll_fn(|cx| distant.deliver(cx)).await;
    }
}

/// Serves requests until either side ends the connection.
pub(super) async fn serve<S>(stream: S, azure: Arc<Azure>, entrance: Entrance)
where
    S: OverTcp + AsyncRead + AsyncWrite + Unpin,
{
    let (number, _open) = azure.connection();
    let peer = Arc::new(Peer { azure, number, entrance, end: End::default() });
    let service = service_fn({
        let peer = Arc::clone(&peer);
        move |request| respond(Arc::clone(&peer), request)
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A connection that the client aborted has ended like any other.
        _ = &mut connection => {}
        () = peer.end.asked() => {}
    }
    let stream = connection.into_parts().io.into_inner();
    if peer.end.by_reset() {
        // Closing with a zero linger time sends an RST. If setting it fails, the close is a plain one.
        let _ = stream.tcp().set_zero_linger();
    } else {
        stream.deliver().await;
    }
}

//! The HTTPS listener: all production names, distinguished by `Host`.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::{
    connection::serve,
    delayed_stream::{Distant, Opening},
    peer::Entrance,
};
use crate::azure::Azure;

/// Serves TLS connections, direct or tunnelled.
#[derive(Clone)]
pub(crate) struct Https {
    pub(crate) azure: Arc<Azure>,
    acceptor: TlsAcceptor,
}

impl Https {
    pub(crate) fn new(azure: Arc<Azure>, config: ServerConfig) -> Self {
        Self { azure, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    pub(crate) async fn serve(self, tcp: TcpStream, opening: Opening) {
        let distant = Distant::new(tcp, self.azure.latency.round_trip(), opening, &self.azure.alarms);
        // If a client does not finish its handshake, it does not trust the authority, or it has disconnected.
        let Ok(tls) = self.acceptor.accept(distant).await else {
            return;
        };
        let server_name = tls.get_ref().1.server_name().map(str::to_ascii_lowercase);
        serve(tls, self.azure, Entrance::Https { server_name }).await;
    }
}

//! Listeners: HTTPS, the CONNECT proxy, and plain HTTP for IMDS and NMI.

mod connection;
mod delay_queue;
mod delayed_stream;
mod https;
mod pages;
mod peer;
mod plain;
mod proxy;
mod request;

use std::{future::Future, io, net::SocketAddr};

use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

pub(crate) use self::{delayed_stream::Opening, https::Https, pages::Pages, plain::Plain, proxy::Proxy};

/// A bound listener that does not accept yet.
pub(crate) struct Bound {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Bound {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Serves every connection in its own task; aborting the returned handle ends them all.
    pub(crate) fn serve<F>(self, serve: impl Fn(TcpStream) -> F + Send + 'static) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let accepting = async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = self.listener.accept() => match accepted {
                        Ok((tcp, _)) => {
                            // Latency matters more than packets here. If the option cannot be set, answers only take
                            // longer.
                            let _ = tcp.set_nodelay(true);
                            connections.spawn(serve(tcp));
                        }
                        // No file descriptors are left, or the peer has disconnected: both are temporary.
                        Err(_) => tokio::task::yield_now().await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        };
        tokio::spawn(accepting).abort_handle()
    }
}

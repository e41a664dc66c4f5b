//! TCP ports: on every address of the node, or on loopback alone.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// A port to listen on, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    pub(super) what: &'static str,
    /// The flag that sets another.
    pub(super) flag: &'static str,
    pub(super) number: u16,
    pub(super) reach: Reach,
}

/// Who can connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Whoever reaches the node.
    Everywhere,
    /// The node itself.
    Loopback,
}

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on port {} for {}; --{} sets another, 0 turns it off", port.number, port.what, port.flag)]
pub(super) struct PortError {
    port: Port,
    source: io::Error,
}

/// How long until a port that somebody has is tried again.
const AGAIN: Duration = Duration::from_secs(1);

impl Port {
    /// Listens, on IPv4 and, where the node has it, on IPv6.
    pub(super) fn bind(self) -> Result<TcpListener, PortError> {
        let ipv4 = match self.reach {
            Reach::Everywhere => Ipv4Addr::UNSPECIFIED,
            Reach::Loopback => Ipv4Addr::LOCALHOST,
        };
        let ipv4 = SocketAddr::from((ipv4, self.number));
        let listener = match self.reach {
            Reach::Everywhere => {
                bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, self.number))).or_else(|error| {
                    match error.kind() {
                        io::ErrorKind::AddrInUse => Err(error),
                        _ => bind(ipv4),
                    }
                })
            }
            Reach::Loopback => bind(ipv4),
        };
        listener.map_err(|source| PortError { port: self, source })
    }

    /// Listens as soon as the port is free, as it is when a predecessor has gone.
    pub(super) async fn wait(self) -> TcpListener {
        loop {
            tokio::time::sleep(AGAIN).await;
            if let Ok(listener) = self.bind() {
                tracing::info!(port = self.number, "listening for {} after all", self.what);
                return listener;
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A successor need not wait until the connections of its predecessor are forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

//! TCP ports: on every address of the node, or on loopback only.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// A port to listen on, and its purpose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    pub(super) what: &'static str,
    /// The flag that sets another number.
    pub(super) flag: &'static str,
    pub(super) number: u16,
    pub(super) reach: Reach,
}

/// The reach of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every host that reaches the node can connect.
    Everywhere,
    /// Only the node itself can connect.
    Loopback,
}

/// An error of a port that cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on port {} for {}; --{} sets another, 0 turns it off", port.number, port.what, port.flag)]
pub(super) struct PortError {
    port: Port,
    source: io::Error,
}

/// The interval between tries to bind a port that another process holds.
const AGAIN: Duration = Duration::from_secs(1);

impl Port {
    /// Listens on IPv6 and IPv4; on IPv4 alone if the node has no IPv6.
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

    /// Waits until the port is free, as it is after a predecessor has ended, and listens.
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
    // Without it a successor would wait until the kernel forgets the connections of its predecessor.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(128)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

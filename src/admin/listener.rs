//! TCP ports: of every address of the node, or of loopback alone.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on port {port} for {what}; --{what_flag} sets another, 0 turns it off", what_flag = flag(what))]
pub struct PortError {
    what: &'static str,
    port: u16,
    source: io::Error,
}

fn flag(what: &str) -> &'static str {
    match what {
        "healthz" => "healthz-port",
        "metrics" => "prometheus-port",
        _ => "pprof-port",
    }
}

/// Listens on every address, of IPv4 and, where the node has it, of IPv6.
pub(super) fn everywhere(what: &'static str, port: u16) -> Result<TcpListener, PortError> {
    bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
        .or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Err(error),
            _ => bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))),
        })
        .map_err(|source| PortError { what, port, source })
}

/// Listens for callers on the node itself.
pub(super) fn loopback(what: &'static str, port: u16) -> Result<TcpListener, PortError> {
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map_err(|source| PortError { what, port, source })
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

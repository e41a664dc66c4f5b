//! Connections: names, proxies, TCP and TLS, and connections that are opened ahead of the requests that need them.

mod connect_phase;
mod connection;
mod connection_count;
mod connector;
mod dns;
mod handshake;
mod prewarm;
mod proxy;
mod tls;
mod tunnel;

pub use self::{
    connect_phase::ConnectPhase,
    connector::Route,
    dns::{Resolve, Resolver},
    proxy::{NotAProxy, Proxy},
    tls::{Roots, RootsError},
};

pub(crate) use self::prewarm::MountGuard;

pub(super) use self::{
    connection::{EndlessAnswer, Uses},
    connector::{Connector, MAX_CONNECTIONS_OF_HOST, NoConnection, authority},
    dns::NoAddress,
    tunnel::ProxyError,
};

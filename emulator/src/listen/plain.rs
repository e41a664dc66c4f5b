//! The plain HTTP listeners on the node: IMDS and NMI.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::{connection::serve, peer::Entrance};
use crate::azure::Azure;

/// A service with a plain HTTP listener.
#[derive(Clone)]
pub(crate) enum Plain {
    Imds(Arc<Azure>),
    Nmi(Arc<Azure>),
}

impl Plain {
    pub(crate) async fn serve(self, tcp: TcpStream) {
        let (azure, entrance) = match self {
            Self::Imds(azure) => (azure, Entrance::Imds),
            Self::Nmi(azure) => (azure, Entrance::Nmi),
        };
        serve(tcp, azure, entrance).await;
    }
}

//! The gRPC server that the driver calls.

mod accept;
pub mod deadline;
mod delivery;
pub mod drain;
pub mod endpoint;
mod observe;
mod parsing;
mod peers;
pub mod provider;
mod receive;
pub mod socket;
mod spec_memory;
pub mod status;
mod turnstile;

use std::{future::Future, time::Duration};

use tokio::sync::oneshot;
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tonic::transport::Server;
use tonic_health::ServingStatus;

use crate::{
    metrics::Metrics,
    mount::Mounter,
    proto::csi_driver_provider_server::{CsiDriverProviderServer, SERVICE_NAME},
};

use self::{
    delivery::DeliveryLayer,
    drain::Drain,
    observe::ObserveLayer,
    peers::PeerFilter,
    provider::Provider,
    receive::ReceiveLayer,
    socket::{Listener, SocketFile},
};

/// How long connections may take to close after the last mount has ended. A driver without CPU time takes its answer
/// late, and one that breaks off is `Unavailable`: docs/errors.md.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Serves mounts and gRPC health until `shutdown`, then lets running mounts finish.
///
/// Meanwhile it answers new calls with a refusal, until the running mounts have ended or a successor has taken the
/// socket over.
///
/// # Errors
/// The listener breaks.
pub async fn serve(
    listener: Listener,
    mounter: Mounter,
    metrics: Metrics,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let drain = Drain::default();
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_service_status(SERVICE_NAME, ServingStatus::Serving).await;
    let router = Server::builder()
        .initial_stream_window_size(receive::STREAM_WINDOW)
        .initial_connection_window_size(receive::CONNECTION_WINDOW)
        .layer(ObserveLayer { metrics: metrics.clone() })
        .layer(DeliveryLayer)
        .layer(ReceiveLayer::new(mounter.timeout(), metrics.clone()))
        .add_service(health_service)
        .add_service(CsiDriverProviderServer::new(Provider::new(mounter, metrics, drain.clone())));

    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { stopped.await.unwrap_or_default() };
    let (incoming, socket_file) = listener.into_incoming();
    let mut server = match incoming {
        socket::Incoming::Unix(unix) => {
            let incoming = accept::with_backoff(UnixListenerStream::new(unix));
            let admitted = PeerFilter::of_this_process().filter(incoming);
            tokio::spawn(router.serve_with_incoming_shutdown(admitted, stopped))
        }
        socket::Incoming::Tcp(tcp) => {
            let incoming = accept::with_backoff(TcpListenerStream::new(tcp));
            tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopped))
        }
    };

    let early = tokio::select! {
        result = &mut server => Some(result),
        () = shutdown => None,
    };
    if let Some(result) = early {
        return flatten(result);
    }
    let mounts = drain.stop();
    tracing::info!(mounts, "stopping: running mounts finish first");
    health.set_service_status(SERVICE_NAME, ServingStatus::NotServing).await;
    health.set_service_status("", ServingStatus::NotServing).await;
    tokio::select! {
        () = drain.ended() => {}
        () = taken_over(socket_file.as_ref(), &drain) => {}
    }
    // Removed before connections close, so that the driver reconnects to the successor.
    drop(socket_file);
    drop(stop);
    drain.ended().await;
    match tokio::time::timeout(SHUTDOWN_GRACE, &mut server).await {
        Ok(result) => flatten(result),
        Err(_) => {
            server.abort();
            Ok(())
        }
    }
}

/// Waits until a successor has its socket at the path. Looks at once, and again after each refused mount.
async fn taken_over(socket_file: Option<&SocketFile>, drain: &Drain) {
    while socket_file.is_none_or(SocketFile::is_ours) {
        drain.refused().await;
    }
}

fn flatten(
    result: Result<Result<(), tonic::transport::Error>, tokio::task::JoinError>,
) -> Result<(), tonic::transport::Error> {
    match result {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Ok(()),
        },
    }
}

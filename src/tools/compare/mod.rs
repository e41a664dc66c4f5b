//! `compare`: the same class from this provider and from another one.

mod difference;
mod render;

use std::time::Duration;

use aws_lc_rs::{hmac, rand::SystemRandom};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint as ChannelEndpoint},
};
use tower::service_fn;

use crate::{
    proto::{MountRequest, MountResponse, csi_driver_provider_client::CsiDriverProviderClient},
    server::endpoint::{Endpoint, InvalidEndpoint},
    transport::Observer,
};

use self::difference::Difference;
use super::{
    command::{Compare, ResultFormat},
    in_process::{InProcess, StartError},
    output::Output,
    request::{self, RequestError},
};

/// A comparison that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    /// The call cannot be built.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// This provider cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// `--with` is not an endpoint.
    #[error("--with: {0}")]
    Endpoint(#[from] InvalidEndpoint),
    /// No provider answers there.
    #[error("no provider answers at {endpoint}: {reason}")]
    NoProvider {
        /// `--with`
        endpoint: Endpoint,
        /// The reason.
        reason: String,
    },
    /// The system has no randomness.
    #[error("the system gives no random bytes")]
    Random,
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
}

/// Mounts a class with both providers, and prints what differs. Returns whether the volumes are the same.
///
/// # Errors
/// The comparison could not be made.
pub(crate) async fn run(
    options: &Compare,
    environment: super::Environment,
    output: &mut Output,
) -> Result<bool, CompareError> {
    let endpoint: Endpoint = options.with.parse()?;
    let call = request::build(&options.mount)?;
    let key =
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map_err(|_| CompareError::Random)?;
    let other = connect(&endpoint).await?;
    let here = InProcess::start(&options.mount.provider_flags, environment, Observer::none())?;
    output.waiting("mounting with both providers");
    let (here, there) = tokio::join!(here.mount(call.request.clone()), mount(other, call.request));
    output.ready();
    let outcome = match (here, there) {
        (Ok(here), Ok(there)) => Outcome::Both(Difference::between(&here, &there, &key)),
        (here, there) => Outcome::Failed { here: here.err(), there: there.err() },
    };
    match options.format {
        ResultFormat::Text => render::text(&call.class, &endpoint, &outcome, output)?,
        ResultFormat::Json => render::json(&call.class, &endpoint, &outcome, output)?,
    }
    Ok(matches!(outcome, Outcome::Both(difference) if difference.is_none()))
}

/// The result of both mounts.
#[derive(Debug)]
enum Outcome {
    /// Both succeeded.
    Both(Difference),
    /// At least one failed.
    Failed { here: Option<Status>, there: Option<Status> },
}

async fn connect(endpoint: &Endpoint) -> Result<CsiDriverProviderClient<Channel>, CompareError> {
    let no_provider = |error: tonic::transport::Error| CompareError::NoProvider {
        endpoint: endpoint.clone(),
        reason: crate::report::Report(&error).to_string(),
    };
    let channel = match endpoint {
        Endpoint::Unix(path) => {
            let path = path.clone();
            // The connector ignores this address.
            ChannelEndpoint::from_static("http://localhost")
                .connect_timeout(CONNECT_TIMEOUT)
                .connect_with_connector(service_fn(move |_| {
                    let path = path.clone();
                    async move { UnixStream::connect(path).await.map(TokioIo::new) }
                }))
                .await
        }
        Endpoint::Tcp(address) => {
            let uri = ChannelEndpoint::try_from(format!("http://{address}")).map_err(no_provider)?;
            uri.connect_timeout(CONNECT_TIMEOUT).connect().await
        }
    };
    Ok(CsiDriverProviderClient::new(channel.map_err(no_provider)?).max_decoding_message_size(MAX_ANSWER))
}

async fn mount(
    mut client: CsiDriverProviderClient<Channel>,
    call: MountRequest,
) -> Result<MountResponse, Status> {
    let mut request = Request::new(call);
    request.set_timeout(MOUNT_TIMEOUT);
    client.mount(request).await.map(tonic::Response::into_inner)
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Kubelet waits two minutes.
const MOUNT_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest answer of the other provider, in bytes: operators may have raised the driver's limit.
const MAX_ANSWER: usize = 64 << 20;

//! `try`: mounts one class as the provider would, and shows each step of it.

mod kind;
mod phase;
mod render;
mod report;
mod step;
mod write;

use std::{pin::pin, sync::Arc};

use time::OffsetDateTime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tonic::Status;

use crate::{
    proto::MountResponse,
    transport::{NetworkEvent, Observe, Observer},
};

use self::{
    render::Trial,
    report::{FailureReport, FileReport, ObjectReport},
    step::Steps,
    write::{Target, WriteError},
};
use super::{
    command::{ResultFormat, Try},
    in_process::{InProcess, StartError},
    output::Output,
    request::{self, ClassRequest, RequestError},
};

/// A trial without a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TryError {
    /// The call cannot be built.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The token has expired.
    #[error("the pod's token expired at {at}, {ago} ago; make a new one: {renew}")]
    TokenExpired {
        /// The time of its expiry.
        at: String,
        /// Since then.
        ago: String,
        /// The command that makes a new one.
        renew: String,
    },
    /// The files cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The provider cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
}

/// Passes events to the thread that prints them.
#[derive(Debug)]
struct Recorder(UnboundedSender<NetworkEvent>);

impl Observe for Recorder {
    fn observe(&self, event: NetworkEvent) {
        // The tool has ended; nothing is left to print.
        let _ = self.0.send(event);
    }
}

/// Mounts a class and prints what happens. Returns whether the pod would start.
///
/// # Errors
/// The trial has no result.
pub(crate) async fn run(
    options: &Try,
    environment: super::Environment,
    now: OffsetDateTime,
    output: &mut Output,
) -> Result<bool, TryError> {
    let target = options.write.as_deref().map(Target::check).transpose()?;
    let ClassRequest { class, request, token } = request::build(&options.mount)?;
    if let Some(expired) = token.as_ref().and_then(|token| token.expired(now)) {
        return Err(TryError::TokenExpired { at: expired.at, ago: expired.ago, renew: expired.renew });
    }
    // One mount makes a bounded number of events.
    let (sender, mut events) = unbounded_channel();
    let observer = Observer::new(Arc::new(Recorder(sender)));
    let provider = InProcess::start(&options.mount.provider_flags, environment, observer)?;
    let text = options.format == ResultFormat::Text;
    if text {
        render::head(&class, token.as_ref(), now, output.result())?;
    }
    let mut steps = Steps::default();
    let mut show = |event, output: &mut Output| {
        if let Some(step) = steps.add(event)
            && text
        {
            output.ready();
            render::step(step, output.result())?;
        }
        Ok::<_, std::io::Error>(())
    };
    let mut mount = pin!(provider.mount(request));
    let mounted = loop {
        output.waiting("mounting");
        tokio::select! {
            biased;
            Some(event) = events.recv() => show(event, output)?,
            mounted = &mut mount => break mounted,
        }
    };
    while let Ok(event) = events.try_recv() {
        show(event, output)?;
    }
    output.ready();
    let written = options.write.as_deref().filter(|_| mounted.is_ok());
    if let (Some(target), Ok(answer)) = (target, &mounted) {
        target.write(&answer.files)?;
    }
    let outcome = outcome(&mounted, &steps);
    let versions = mounted.as_ref().map(|answer| &answer.object_version[..]).unwrap_or_default();
    let objects = ObjectReport::all_of(steps.all(), versions);
    let out = output.result();
    if text {
        render::objects(&objects, out)?;
        match &outcome {
            Ok(files) => render::files(files, written, out)?,
            Err(failure) => render::failure(failure, out)?,
        }
    } else {
        let outcome = outcome.as_deref();
        let (class, token, steps) = (class.as_str(), token.as_ref(), steps.all());
        render::json(&Trial { class, token, steps, objects: &objects, outcome, written }, out)?;
    }
    Ok(mounted.is_ok())
}

fn outcome(mounted: &Result<MountResponse, Status>, steps: &Steps) -> Result<Vec<FileReport>, FailureReport> {
    match mounted {
        Ok(answer) => Ok(FileReport::all_of(answer)),
        Err(status) => Err(FailureReport::of(status, steps)),
    }
}

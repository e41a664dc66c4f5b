//! Whether a request in a pipeline has a connection yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper_util::client::legacy::connect::CaptureConnection;

/// The dispatch of a call's newest request. A caller can put one into the call's context, and drop the call while the
/// request waits for a connection: then nothing of that request was sent. A connection that was on its way to it is lost,
/// unless it is a prewarmed one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dispatch(Arc<Mutex<Option<CaptureConnection>>>);

impl Dispatch {
    /// Returns whether the request waits for a connection; false if the transport does not tell.
    pub(crate) fn waits_for_connection(&self) -> bool {
        self.lock().as_ref().is_some_and(|connection| connection.connection_metadata().is_none())
    }

    /// Records a new request. `connection` will hold its connection.
    pub(super) fn begin(&self, connection: CaptureConnection) {
        *self.lock() = Some(connection);
    }

    fn lock(&self) -> MutexGuard<'_, Option<CaptureConnection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

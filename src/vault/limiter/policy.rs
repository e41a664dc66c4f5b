//! The pipeline policy that applies a vault's limiter, and retries after a 429.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    error::{Error, ErrorKind},
    http::{
        Context, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
};
use tokio::time::Instant;

use crate::{
    metrics::Metrics,
    spec::mount_kind::MountKind,
    transport::{Dispatch, MAX_THROTTLED_TRIES, Timeouts, below, error_for_status, retry_after},
};

use super::{
    AdmittedRequest, Limiter, QueuedRequest, WaitTooLong,
    room::{Room, SharedRoom},
    silence::Silence,
    turn::Turn,
};

/// A policy that sends each request when the vault's limiter permits it, and again after a 429.
///
/// After a 429 it also withdraws requests that were permitted and still wait for their connections, so that the vault
/// gets none before the moment it named.
///
/// It is below the SDK's retries. SDK retries do not know of each other, so each would return at a time of its own.
#[derive(Debug)]
pub(in crate::vault) struct LimiterPolicy {
    vault: Arc<str>,
    limiter: Limiter,
    room: Room,
    metrics: Metrics,
    timeouts: Timeouts,
    /// The status of the last answer; 0 before the first one.
    last: AtomicU16,
    silence: Silence,
    /// Returns a random number from 0 to 1.
    jitter: fn() -> f64,
}

impl LimiterPolicy {
    pub(in crate::vault) fn new(
        vault: Arc<str>,
        room: &SharedRoom,
        metrics: Metrics,
        timeouts: Timeouts,
    ) -> Self {
        let (limiter, room) = (Limiter::new(timeouts.throttle_backoff), Room::new(room));
        Self {
            vault,
            limiter,
            room,
            metrics,
            timeouts,
            last: AtomicU16::new(0),
            silence: Silence::default(),
            jitter: fastrand::f64,
        }
    }

    /// Waits for the turn of a request that is not built yet.
    ///
    /// # Errors
    /// The vault throttles for longer than a request may wait.
    pub(in crate::vault) async fn admit(
        &self,
        queued: Arc<QueuedRequest>,
    ) -> azure_core::Result<AdmittedRequest> {
        let turn = self.turn(&queued, self.latest()).await?;
        Ok(AdmittedRequest::new(queued, turn))
    }

    /// Waits until the limiter permits a request, and until there is room for it beside those to other vaults.
    async fn turn(&self, queued: &QueuedRequest, latest: Instant) -> azure_core::Result<Turn> {
        loop {
            // In this order: a request that waits for a vault that throttles takes no room.
            let permit = self.limiter.acquire(queued, latest).await.map_err(|WaitTooLong| not_asked())?;
            let room = self.room.acquire().await;
            // The vault may have refused other requests meanwhile.
            if !self.limiter.is_closed() {
                return Ok(Turn { permit, room, latest });
            }
        }
    }

    /// Returns until when a request may wait from now on: half of the mount timeout, since a request that waits longer
    /// could not report why it failed.
    fn latest(&self) -> Instant {
        Instant::now() + self.timeouts.throttle_wait
    }

    /// Returns whether requests wait because the vault throttles.
    pub(in crate::vault) fn is_throttling(&self) -> bool {
        self.limiter.is_throttling()
    }

    /// Returns whether the vault's refusals still limit its requests.
    pub(in crate::vault) fn is_limited(&self) -> bool {
        self.limiter.is_limited()
    }

    /// Returns how long the vault has owed an answer to any request; `None` if it owes none.
    pub(in crate::vault) fn silent_for(&self) -> Option<Duration> {
        self.silence.lasts()
    }

    /// Returns the status of the vault's last answer.
    pub(in crate::vault) fn last_status(&self) -> Option<u16> {
        Some(self.last.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }
}

#[async_trait]
impl Policy for LimiterPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let admitted = ctx.value::<Arc<AdmittedRequest>>();
        let unqueued;
        let queued: &QueuedRequest = match admitted {
            Some(admitted) => admitted.queued(),
            None => {
                // A probe, for the mounts of all namespaces.
                unqueued = QueuedRequest::new(MountKind::Initial, Arc::default());
                &unqueued
            }
        };
        let mut first = admitted.and_then(|admitted| admitted.take_turn());
        let latest = first.as_ref().map_or_else(|| self.latest(), |turn| turn.latest);
        let (dispatch, mut ctx) = (Dispatch::default(), ctx.to_borrowed());
        ctx.insert(dispatch.clone());
        let mut tries = 1;
        loop {
            // The vault may have refused other requests since the turn came.
            let Turn { permit, room: _room, .. } = match first.take().filter(|_| !self.limiter.is_closed()) {
                Some(turn) => turn,
                None => self.turn(queued, latest).await?,
            };
            queued.mark_sent();
            let unanswered = self.silence.begin();
            let answer = tokio::select! {
                // First, since the connection of a refused request goes to one that waits.
                biased;
                () = self.limiter.closed_while(|| dispatch.waits_for_connection()) => None,
                answer = below(&ctx, request, next) => Some(answer),
            };
            let Some(answer) = answer else {
                queued.mark_waiting();
                continue;
            };
            let response = match answer {
                Ok(response) => response,
                Err(error) => {
                    unanswered.failed();
                    return Err(error);
                }
            };
            unanswered.answered();
            self.last.store(response.status().into(), Ordering::Relaxed);
            if response.status() != StatusCode::TooManyRequests {
                permit.answered();
                if response.status().is_success() {
                    queued.mark_answered();
                }
                return Ok(response);
            }
            queued.mark_waiting();
            self.metrics.vault_throttled(&self.vault);
            let wait = retry_after(response.headers());
            permit.refused(wait, (self.jitter)());
            let left = latest.saturating_duration_since(Instant::now());
            if tries == MAX_THROTTLED_TRIES || wait.unwrap_or_default() > left {
                // As an error, since the SDK would retry a response with this status.
                return Err(error_for_status(response, "throttled").await);
            }
            tries += 1;
        }
    }
}

fn not_asked() -> Error {
    let status = StatusCode::TooManyRequests;
    let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: None };
    Error::with_message(kind, "not asked, since the vault throttles")
}

#[cfg(test)]
mod tests;

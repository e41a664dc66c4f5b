//! Error responses of Entra, taken before the SDK's own parser.
//!
//! The SDK parses an error response into borrowed text, and so fails on every one with an escape in it. Entra's
//! descriptions have line ends, so the SDK would report its own JSON error in place of Entra's message.

use std::sync::Arc;

use azure_core::http::{
    Context, Request,
    policies::{Policy, PolicyResult},
};

use crate::transport::{below, error_for_status};

/// A policy that turns each response without a success status into an error, after all retries.
#[derive(Debug)]
pub(super) struct ErrorStatusPolicy;

#[async_trait::async_trait]
impl Policy for ErrorStatusPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let response = below(ctx, request, next).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(error_for_status(response, "no token").await)
    }
}

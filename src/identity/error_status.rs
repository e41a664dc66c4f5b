//! What Entra answers instead of a token, past the SDK's own reader.
//!
//! The SDK reads such an answer into borrowed text, and so none that has an escape in it. Entra's descriptions have line
//! ends, so that the SDK would tell of its own JSON reader where Entra said what is wrong.

use std::sync::Arc;

use azure_core::http::{
    Context, Request,
    policies::{Policy, PolicyResult},
};

use crate::transport::{below, error_for_status};

/// Makes an error of each answer that is none of success, once all retries are done.
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

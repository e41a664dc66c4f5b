//! `--custom-user-agent`

use azure_core::http::{
    Context, Request,
    headers::USER_AGENT,
    policies::{Policy, PolicyResult},
};

use super::super::below;

/// Adds to the SDK's own `User-Agent`, once a call: retries go out with the same headers. The SDK's option for that takes 24 characters and panics at the next.
#[derive(Debug)]
pub(in crate::transport) struct AddedUserAgent(pub(in crate::transport) String);

#[async_trait::async_trait]
impl Policy for AddedUserAgent {
    async fn send(
        &self,
        ctx: &Context,
        request: &mut Request,
        next: &[std::sync::Arc<dyn Policy>],
    ) -> PolicyResult {
        let sdk = request.headers().get_optional_str(&USER_AGENT).unwrap_or_default();
        request.insert_header(USER_AGENT, format!("{sdk} {}", self.0).trim_start().to_owned());
        below(ctx, request, next).await
    }
}

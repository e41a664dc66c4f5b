//! The text of `--custom-user-agent` in requests.

use azure_core::http::{
    Context, Request,
    headers::USER_AGENT,
    policies::{Policy, PolicyResult},
};

use super::super::below;

/// A policy that adds text to the SDK's own `User-Agent`, once a call: retries are sent with the same headers. The
/// SDK's own option accepts 24 characters and panics if there are more.
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

//! Claims that a vault demands, as a field of the token request.
//!
//! The SDK's credentials have no parameter for them, but its form passes by here on the way out
//! (<https://learn.microsoft.com/entra/identity-platform/claims-challenge>).

use std::sync::Arc;

use azure_core::http::{
    Body, Context, Request,
    policies::{Policy, PolicyResult},
};

use crate::transport::below;

/// Claims for the token of one request, as a value of its context: a JSON object.
#[derive(Debug, Clone)]
pub(super) struct MoreClaims(pub(super) Arc<str>);

/// A policy that adds [`MoreClaims`] to the form of a token request.
#[derive(Debug)]
pub(super) struct MoreClaimsPolicy;

#[async_trait::async_trait]
impl Policy for MoreClaimsPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        if let Some(MoreClaims(claims)) = ctx.value()
            && let Body::Bytes(form) = request.body()
        {
            // The query of a URL and the body of a form are written alike.
            let mut field = request.url().clone();
            field.set_query(None);
            field.query_pairs_mut().append_pair("claims", claims);
            let form = [form.as_ref(), b"&", field.query().unwrap_or_default().as_bytes()].concat();
            request.set_body(form);
        }
        below(ctx, request, next).await
    }
}

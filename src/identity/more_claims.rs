//! Claims that a vault demands, as a field of the token request.
//!
//! The SDK's credentials have no parameter for claims, but their form passes this policy before it is sent
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
            // The query of a URL and the body of a form have the same encoding.
            let mut field = request.url().clone();
            field.set_query(None);
            field.query_pairs_mut().append_pair("claims", claims);
            let form = [form.as_ref(), b"&", field.query().unwrap_or_default().as_bytes()].concat();
            request.set_body(form);
        }
        below(ctx, request, next).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use azure_core::http::{AsyncRawResponse, Method, StatusCode, headers::Headers};

    use super::*;

    /// An authority that keeps the form of the request.
    #[derive(Debug, Default)]
    struct Authority(Mutex<Vec<u8>>);

    #[async_trait::async_trait]
    impl Policy for Authority {
        async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
            let Body::Bytes(form) = request.body() else { panic!("a form in memory") };
            *self.0.lock().unwrap() = form.to_vec();
            Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), &b""[..]))
        }
    }

    async fn sent(claims: Option<&str>) -> String {
        let authority = Arc::new(Authority::default());
        let mut request = Request::new("https://login.example/t?x=y".parse().unwrap(), Method::Post);
        request.set_body("grant_type=client_credentials&client_assertion=a.b.c");
        let mut ctx = Context::new();
        if let Some(claims) = claims {
            ctx.insert(MoreClaims(claims.into()));
        }
        let next: [Arc<dyn Policy>; 1] = [authority.clone()];
        MoreClaimsPolicy.send(&ctx, &mut request, &next).await.unwrap();
        String::from_utf8(authority.0.lock().unwrap().clone()).unwrap()
    }

    #[tokio::test]
    async fn claims_are_a_field_of_the_form() {
        assert_eq!(sent(None).await, "grant_type=client_credentials&client_assertion=a.b.c");
        assert_eq!(
            sent(Some(r#"{"a":"b&c=d"}"#)).await,
            "grant_type=client_credentials&client_assertion=a.b.c&claims=%7B%22a%22%3A%22b%26c%3Dd%22%7D"
        );
    }
}

//! An injected panic.

use azure_core::http::{AsyncRawResponse, HttpClient, Request, Transport};

/// A transport that panics on every request to a vault of this name. The panic's text must not leak.
#[derive(Debug)]
pub(crate) struct Panics {
    pub(crate) vault: &'static str,
    pub(crate) words: &'static str,
    pub(crate) below: Transport,
}

#[async_trait::async_trait]
impl HttpClient for Panics {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        assert!(!request.url().as_str().contains(self.vault), "{}", self.words);
        self.below.send(&Default::default(), &mut request.clone()).await
    }
}

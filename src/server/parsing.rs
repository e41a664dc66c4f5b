//! Parses requests without delaying the thread that serves other calls.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    blocking::run_blocking,
    parameters::{self, MountTexts, ParametersError},
    proto::MountRequest,
    spec::{MountSpec, sensitive::Sensitive},
};

use super::receive::MAX_SMALL_BYTES;

/// The texts of a request. They may hold tokens and client secrets, so they are redacted and wiped.
pub(super) struct RequestTexts {
    attributes: Sensitive<String>,
    secrets: Sensitive<String>,
    permission: String,
}

/// A parser of requests. Clones share its thread.
#[derive(Debug, Clone)]
pub(super) struct RequestParser {
    /// One large request at a time, so that parsing takes one core and the memory of one.
    large: Arc<Semaphore>,
}

impl RequestTexts {
    /// Takes the texts out of a request.
    pub(super) fn of(request: &mut MountRequest) -> Self {
        Self {
            attributes: Sensitive::new(std::mem::take(&mut request.attributes)),
            secrets: Sensitive::new(std::mem::take(&mut request.secrets)),
            permission: std::mem::take(&mut request.permission),
        }
    }

    fn parse(&self) -> Result<MountSpec, ParametersError> {
        parameters::parse(self.as_texts())
    }

    fn as_texts(&self) -> MountTexts<'_> {
        MountTexts {
            attributes: self.attributes.expose(),
            secrets: self.secrets.expose(),
            permission: &self.permission,
        }
    }
}

impl RequestParser {
    /// Creates a parser.
    pub(super) fn new() -> Self {
        Self { large: Arc::new(Semaphore::new(1)) }
    }

    /// Parses the texts, and drops them. Small ones are parsed on this thread, since that takes a few milliseconds. Texts
    /// that are too long are refused at once.
    ///
    /// # Errors
    /// All mistakes of the request.
    pub(super) async fn parse(&self, texts: RequestTexts) -> Result<MountSpec, ParametersError> {
        let is_large = (MAX_SMALL_BYTES + 1..=parameters::MAX_BYTES).contains(&texts.as_texts().len());
        if !is_large {
            return texts.parse();
        }
        let turn = self.large.clone().acquire_owned().await;
        run_blocking(move || {
            // Held until the end, also if the caller goes away meanwhile.
            let _turn = turn;
            texts.parse()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn texts(bytes: usize) -> RequestTexts {
        let attributes = format!(r#"{{"objects": "{}"}}"#, "x".repeat(bytes));
        RequestTexts::of(&mut MountRequest { attributes, ..MountRequest::default() })
    }

    #[tokio::test]
    async fn a_large_request_is_parsed_on_another_thread_and_a_small_or_refused_one_at_once() {
        let parser = RequestParser::new();
        for bytes in [1, MAX_SMALL_BYTES - 100, parameters::MAX_BYTES + 1, 4 << 20] {
            let parsed = parser.parse(texts(bytes)).now_or_never();
            assert!(parsed.expect("it needs no other thread").is_err());
        }
        let mut parsed = Box::pin(parser.parse(texts(MAX_SMALL_BYTES)));
        assert!((&mut parsed).now_or_never().is_none());
        assert!(parsed.await.is_err());
    }

    #[tokio::test]
    async fn large_requests_are_parsed_one_at_a_time() {
        let parser = RequestParser::new();
        let turn = parser.large.clone().acquire_owned().await.unwrap();
        let mut parsed = Box::pin(parser.parse(texts(MAX_SMALL_BYTES)));
        tokio::task::yield_now().await;
        assert!((&mut parsed).now_or_never().is_none());
        assert!(parser.parse(texts(10)).now_or_never().is_some(), "a small one does not wait");
        drop(turn);
        assert!(parsed.await.is_err());
        assert_eq!(parser.large.available_permits(), 1);
    }
}

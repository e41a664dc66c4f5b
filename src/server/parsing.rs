//! Parses requests without delaying the thread that serves other calls.

use std::{sync::Arc, time::Duration};

use crate::{
    blocking::OneAtATime,
    parameters::{self, MountTexts, ObjectsCache, ParametersError},
    proto::MountRequest,
    spec::{MountSpec, sensitive::Sensitive, vault::VaultName},
};

use super::{
    receive::MAX_MEDIUM_BYTES,
    spec_memory::{SpecMemory, SpecShare},
};

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
    large: OneAtATime,
    specs: SpecMemory,
    objects: Arc<ObjectsCache>,
}

/// Why a request becomes no mount.
#[derive(Debug)]
pub(super) enum Refusal {
    /// All mistakes of the request.
    Parameters(ParametersError),
    /// There was no memory for its specification in time.
    Late(VaultName),
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

    fn parse(&self, cache: Option<&ObjectsCache>) -> Result<MountSpec, ParametersError> {
        parameters::parse_cached(self.as_texts(), cache)
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
        Self { large: OneAtATime::new(), specs: SpecMemory::new(), objects: Arc::default() }
    }

    /// Parses the texts, and waits up to `limit` for the memory of a large specification. `waits` is called before it
    /// waits, and its result is dropped afterwards.
    ///
    /// # Errors
    /// All mistakes of the request, or there was no memory in time.
    pub(super) async fn admit<T>(
        &self,
        texts: RequestTexts,
        limit: Duration,
        waits: impl FnOnce() -> T,
    ) -> Result<(MountSpec, SpecShare), Refusal> {
        let texts = Arc::new(texts);
        let spec = self.parse(texts.clone()).await.map_err(Refusal::Parameters)?;
        let bytes = spec.estimated_bytes();
        if let Some(share) = self.specs.try_acquire(&spec.pod.namespace, bytes) {
            return Ok((spec, share));
        }
        let (vault, namespace) = (spec.vault.clone(), spec.pod.namespace.clone());
        // The mount waits with its texts, and parses them again: aliases may have made megabytes of kilobytes.
        drop(spec);
        let waiting = waits();
        let share = tokio::time::timeout(limit, self.specs.acquire(&namespace, bytes)).await;
        drop(waiting);
        let share = share.map_err(|_| Refusal::Late(vault))?;
        Ok((self.parse(texts).await.map_err(Refusal::Parameters)?, share))
    }

    /// Parses the texts. Small ones are parsed on this thread, since that takes a few milliseconds. Texts
    /// that are too long are refused at once.
    ///
    /// # Errors
    /// All mistakes of the request.
    async fn parse(&self, texts: Arc<RequestTexts>) -> Result<MountSpec, ParametersError> {
        let is_large = (MAX_MEDIUM_BYTES + 1..=parameters::MAX_BYTES).contains(&texts.as_texts().len());
        if !is_large {
            return texts.parse(Some(&self.objects));
        }
        self.large.run(move || texts.parse(None)).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    fn texts(bytes: usize) -> Arc<RequestTexts> {
        let attributes = format!(r#"{{"objects": "{}"}}"#, "x".repeat(bytes));
        Arc::new(RequestTexts::of(&mut MountRequest { attributes, ..MountRequest::default() }))
    }

    #[tokio::test]
    async fn a_large_request_is_parsed_on_another_thread_and_a_small_or_refused_one_at_once() {
        let parser = RequestParser::new();
        for bytes in [1, MAX_MEDIUM_BYTES - 100, parameters::MAX_BYTES + 1, 4 << 20] {
            let parsed = parser.parse(texts(bytes)).now_or_never();
            assert!(parsed.expect("it needs no other thread").is_err());
        }
        let mut parsed = Box::pin(parser.parse(texts(MAX_MEDIUM_BYTES)));
        assert!((&mut parsed).now_or_never().is_none());
        assert!(parsed.await.is_err());
    }

    #[tokio::test]
    async fn pods_of_a_class_share_its_objects_unless_the_request_is_large() {
        let parser = RequestParser::new();
        for (comment, shared) in [(0, true), (MAX_MEDIUM_BYTES, false)] {
            let objects = format!("- {{objectName: a, objectType: secret}}\n# {}", "x".repeat(comment));
            let mount = async || parser.parse(Arc::new(class_with("shop", &objects))).await.unwrap();
            assert_eq!(Arc::ptr_eq(&mount().await.objects, &mount().await.objects), shared, "{comment}");
        }
    }

    #[tokio::test]
    async fn large_requests_are_parsed_one_at_a_time() {
        let parser = RequestParser::new();
        let (end, ended) = mpsc::channel::<()>();
        let mut running = Box::pin(parser.large.run(move || ended.recv()));
        assert!((&mut running).now_or_never().is_none());
        let mut parsed = Box::pin(parser.parse(texts(MAX_MEDIUM_BYTES)));
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!((&mut parsed).now_or_never().is_none());
        assert!(parser.parse(texts(10)).now_or_never().is_some(), "a small one does not wait");
        drop(end);
        assert!(running.await.is_err());
        assert!(parsed.await.is_err());
        assert!(parser.parse(texts(MAX_MEDIUM_BYTES)).await.is_err(), "the turn is given back");
    }

    /// Returns the texts of a class with this many entries, all aliases of one with 80 items.
    fn class(entries: usize) -> RequestTexts {
        class_of("shop", entries)
    }

    fn class_of(namespace: &str, entries: usize) -> RequestTexts {
        let items: String = (0..80).map(|item| format!("{{path: k, objectAlias: d/{item}}},")).collect();
        let first = format!("- &e {{objectName: a, objectType: secret, jmesPath: [{items}]}}\n");
        class_with(namespace, &(first + &"- *e\n".repeat(entries - 1)))
    }

    fn class_with(namespace: &str, objects: &str) -> RequestTexts {
        let attributes = serde_json::json!({
            "csi.storage.k8s.io/pod.name": "web-0", "csi.storage.k8s.io/pod.namespace": namespace,
            "keyvaultName": "lab", "useVMManagedIdentity": "true", "objects": objects,
        });
        RequestTexts::of(&mut MountRequest {
            attributes: attributes.to_string(),
            secrets: "null".to_owned(),
            permission: "420".to_owned(),
            ..MountRequest::default()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn mounts_of_large_classes_wait_for_memory_and_those_of_small_ones_do_not() {
        let parser = RequestParser::new();
        let second = Duration::from_secs(1);
        let admit = async |entries| parser.admit(class(entries), second, || ()).await;
        let all = parser.specs.acquire("shop", usize::MAX).await;
        let (small, _share) = admit(1).await.unwrap();
        assert!(small.estimated_bytes() <= 64 << 10, "{} bytes", small.estimated_bytes());
        let refusal = admit(12).await.unwrap_err();
        assert!(matches!(&refusal, Refusal::Late(vault) if vault.as_str() == "lab"), "{refusal:?}");

        let mut waits = Box::pin(parser.admit(class(12), second, || ()));
        assert!((&mut waits).now_or_never().is_none());
        drop(all);
        let (large, _share) = waits.await.unwrap();
        assert!(
            large.estimated_bytes() > 4 * class(12).as_texts().len(),
            "{} bytes",
            large.estimated_bytes()
        );
        assert!(admit(1).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn large_classes_of_a_namespace_leave_memory_for_those_of_others() {
        let parser = RequestParser::new();
        let admit =
            async |namespace| parser.admit(class_of(namespace, 12), Duration::from_secs(1), || ()).await;
        let mut hostile = Vec::new();
        while let Ok((_, share)) = admit("hostile").await {
            hostile.push(share);
        }
        assert!(hostile.len() > 1);
        assert!(admit("honest").await.is_ok());
    }
}

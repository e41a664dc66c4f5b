//! Parses requests without delaying the thread that serves other calls.

use std::sync::Arc;

use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, timeout_at},
};

use crate::{
    blocking::OneAtATime,
    parameters::{self, MountTexts, ObjectsCache, ParametersError},
    permits_by_name::{Permit, PermitsByName},
    proto::MountRequest,
    spec::{MountSpec, sensitive::Sensitive, vault::VaultName},
};

use super::{
    receive::{MAX_MEDIUM_BYTES, MAX_SMALL_BYTES},
    spec_memory::{SpecMemory, SpecShare},
};

/// Texts of medium size that are kept over all mounts that wait for memory, and of one namespace.
const MAX_WAITING_MEDIUM: [usize; 2] = [64, 32];

/// Large texts that are kept over all mounts that wait for memory, and of one namespace.
const MAX_WAITING_LARGE: [usize; 2] = [8, 4];

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
    waiting: WaitingTexts,
    objects: Arc<ObjectsCache>,
}

/// The texts of mounts that wait for memory. Clones share the limits.
#[derive(Debug, Clone)]
struct WaitingTexts {
    medium: PermitsByName,
    large: PermitsByName,
}

/// A permit to keep texts while their mount waits. Small texts need none.
struct TextsPermit {
    _permit: Option<Permit>,
}

/// Why a request becomes no mount.
#[derive(Debug)]
pub(super) enum Refusal {
    /// All mistakes of the request.
    Parameters(ParametersError),
    /// There was no memory for its specification in time.
    Late(VaultName),
    /// Others were parsed all the time.
    Unread,
    /// There is no memory for its specification, and too many large texts wait for some.
    Crowded,
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
        Self {
            large: OneAtATime::new(),
            specs: SpecMemory::new(),
            waiting: WaitingTexts::new(),
            objects: Arc::default(),
        }
    }

    /// Parses the texts, and waits until `until` for the memory of a large specification. `waits` is called before it
    /// waits, and its result is dropped afterwards. `room` is the permit of a large request. It is dropped before the
    /// wait, so that the next large request arrives meanwhile.
    ///
    /// # Errors
    /// All mistakes of the request, or there was no memory in time, or too many large texts wait for it.
    pub(super) async fn admit<T>(
        &self,
        texts: RequestTexts,
        room: Option<OwnedSemaphorePermit>,
        until: Instant,
        waits: impl FnOnce() -> T,
    ) -> Result<(MountSpec, SpecShare), Refusal> {
        let texts = Arc::new(texts);
        let parsed = timeout_at(until, self.parse(texts.clone())).await.map_err(|_| Refusal::Unread)?;
        let spec = parsed.map_err(Refusal::Parameters)?;
        let bytes = spec.estimated_bytes();
        if let Some(share) = self.specs.try_acquire(&spec.pod.namespace, bytes) {
            return Ok((spec, share));
        }
        let (vault, namespace) = (spec.vault.clone(), spec.pod.namespace.clone());
        // The mount waits with its texts, and parses them again: aliases may have made megabytes of kilobytes.
        drop(spec);
        let kept = self.waiting.try_acquire(&namespace, texts.as_texts().len());
        let _kept = kept.ok_or(Refusal::Crowded)?;
        drop(room);
        let waiting = waits();
        let admitted = timeout_at(until, async {
            let share = self.specs.acquire(&namespace, bytes).await;
            drop(waiting);
            (self.parse(texts).await, share)
        });
        let (spec, share) = admitted.await.map_err(|_| Refusal::Late(vault))?;
        Ok((spec.map_err(Refusal::Parameters)?, share))
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

impl WaitingTexts {
    fn new() -> Self {
        let limits = |[all, of_each]: [usize; 2]| PermitsByName::new(all, of_each);
        Self { medium: limits(MAX_WAITING_MEDIUM), large: limits(MAX_WAITING_LARGE) }
    }

    /// Returns a permit for texts of this size of a pod of `namespace`; `None` if too many wait.
    fn try_acquire(&self, namespace: &str, bytes: usize) -> Option<TextsPermit> {
        if bytes <= MAX_SMALL_BYTES {
            return Some(TextsPermit { _permit: None });
        }
        let texts = if bytes <= MAX_MEDIUM_BYTES { &self.medium } else { &self.large };
        let permit = texts.of(&namespace.into()).try_acquire()?;
        Some(TextsPermit { _permit: Some(permit) })
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use futures::{FutureExt, future};
    use tokio::sync::Semaphore;

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
        class_with(namespace, &objects_of(entries))
    }

    /// Returns the texts of a class that needs a share, longer than this many bytes.
    fn long_class(namespace: &str, bytes: usize) -> RequestTexts {
        class_with(namespace, &format!("{}# {}", objects_of(12), "x".repeat(bytes)))
    }

    fn objects_of(entries: usize) -> String {
        let items: String = (0..80).map(|item| format!("{{path: k, objectAlias: d/{item}}},")).collect();
        let first = format!("- &e {{objectName: a, objectType: secret, jmesPath: [{items}]}}\n");
        first + &"- *e\n".repeat(entries - 1)
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
        let admit = async |entries| parser.admit(class(entries), None, Instant::now() + second, || ()).await;
        let all = parser.specs.acquire("shop", usize::MAX).await;
        let (small, _share) = admit(1).await.unwrap();
        assert!(small.estimated_bytes() <= 64 << 10, "{} bytes", small.estimated_bytes());
        let refusal = admit(12).await.unwrap_err();
        assert!(matches!(&refusal, Refusal::Late(vault) if vault.as_str() == "lab"), "{refusal:?}");

        let mut waits = Box::pin(parser.admit(class(12), None, Instant::now() + second, || ()));
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
        let admit = async |namespace| {
            let until = Instant::now() + Duration::from_secs(1);
            parser.admit(class_of(namespace, 12), None, until, || ()).await
        };
        let mut hostile = Vec::new();
        while let Ok((_, share)) = admit("hostile").await {
            hostile.push(share);
        }
        assert!(hostile.len() > 1);
        assert!(admit("honest").await.is_ok());
    }

    #[tokio::test]
    async fn a_large_request_that_waits_for_memory_lets_the_next_one_arrive() {
        let (parser, room) = (RequestParser::new(), Arc::new(Semaphore::new(1)));
        let _all = parser.specs.acquire("shop", usize::MAX).await;
        let permit = room.clone().try_acquire_owned().unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let texts = long_class("shop", MAX_SMALL_BYTES);
        let mut waits = Box::pin(parser.admit(texts, Some(permit), until, || ()));
        assert!((&mut waits).now_or_never().is_none());
        assert_eq!(room.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_namespace_keeps_few_long_texts_while_they_wait_and_leaves_room_to_others() {
        let parser = RequestParser::new();
        let _all = parser.specs.acquire("shop", usize::MAX).await;
        let until = Instant::now() + Duration::from_secs(60);
        let admit = |texts| Box::pin(parser.admit(texts, None, until, || ()));
        let mut waiting = Vec::new();
        for namespace in ["shop", "bank"] {
            for _ in 0..MAX_WAITING_MEDIUM[1] {
                let mut waits = admit(long_class(namespace, MAX_SMALL_BYTES));
                assert!((&mut waits).now_or_never().is_none(), "{namespace}");
                waiting.push(waits);
            }
            let refused = admit(long_class(namespace, MAX_SMALL_BYTES)).now_or_never();
            assert!(matches!(refused, Some(Err(Refusal::Crowded))), "{refused:?}");
        }
        assert_eq!(waiting.len(), MAX_WAITING_MEDIUM[0]);
        let refused = admit(long_class("third", MAX_SMALL_BYTES)).now_or_never();
        assert!(matches!(refused, Some(Err(Refusal::Crowded))), "{refused:?}");
        assert!(admit(class(12)).now_or_never().is_none(), "a small text waits");
        drop(waiting.pop());
        assert!(admit(long_class("bank", MAX_SMALL_BYTES)).now_or_never().is_none());

        // Large ones are parsed on another thread.
        let large = (0..=MAX_WAITING_LARGE[1]).map(|_| admit(long_class("shop", MAX_MEDIUM_BYTES)));
        let (refused, _, _wait) = future::select_all(large).await;
        assert!(matches!(refused, Err(Refusal::Crowded)), "{refused:?}");
    }
}

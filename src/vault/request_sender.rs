//! The requests of one client, whose answers mounts share.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::FutureExt;

use crate::metrics::VaultCall;

use super::{
    authenticated::AuthenticatedVaults,
    bundle::{Bundle, VersionProperties},
    cache::{Answer, CacheReader, Cacheable, Requests},
    error::VaultError,
    limiter::{AdmittedRequest, LimiterPolicy},
    list::{List, ObjectList},
    read::Read,
    request::Request,
    sdk::Sdk,
};

/// A sender of requests on behalf of one reader. Clones share its state.
#[derive(Clone)]
pub(super) struct RequestSender {
    pub(super) from: CacheReader,
    sdk: Arc<Sdk>,
    limiter: Arc<LimiterPolicy>,
    authenticated: AuthenticatedVaults,
    shared: Arc<AtomicBool>,
}

impl RequestSender {
    pub(super) fn new(
        from: CacheReader,
        sdk: Sdk,
        limiter: Arc<LimiterPolicy>,
        authenticated: AuthenticatedVaults,
    ) -> Self {
        Self { from, sdk: Arc::new(sdk), limiter, authenticated, shared: Arc::default() }
    }

    pub(super) fn versions(&self, read: &Read) -> Answer<Vec<VersionProperties>> {
        let object = read.clone();
        self.answer(Request::Object(read.clone()), |sdk, ask| async move { sdk.versions(&object, ask).await })
    }

    /// Returns whether another mount sent any of the requests so far.
    pub(super) fn shared(&self) -> bool {
        self.shared.load(Ordering::Relaxed)
    }

    /// Returns the answer to `request`, which `send` sends if no other mount's answer will do.
    fn answer<V: Cacheable, F>(
        &self,
        request: Request,
        send: impl FnOnce(Arc<Sdk>, Arc<AdmittedRequest>) -> F + Send + 'static,
    ) -> Answer<V>
    where
        F: Future<Output = Result<V, VaultError>> + Send + 'static,
    {
        let CacheReader { cache, vault, reader } = &self.from;
        let (answer, call) = cache.answer(vault, reader, &request, |queued| {
            let (sdk, limiter, request) = (self.sdk.clone(), self.limiter.clone(), request.clone());
            let (host, authenticated) = (vault.clone(), self.authenticated.clone());
            async move {
                let answer = async {
                    // Both are boxed: a future has room for all that it waits for, and more reads wait than are sent.
                    let admitted = limiter.admit(queued).boxed().await?;
                    send(sdk.clone(), Arc::new(admitted)).boxed().await
                };
                let result = sdk.measured(&request, answer).await;
                authenticated.note(&host, &result);
                result
            }
        });
        if call == VaultCall::Shared {
            self.shared.store(true, Ordering::Relaxed);
        }
        answer
    }
}

impl Requests for RequestSender {
    fn get(&self, read: &Read) -> Answer<Bundle> {
        let object = read.clone();
        self.answer(Request::Object(read.clone()), |sdk, ask| async move { sdk.get(&object, ask).await })
    }

    fn list(&self, list: List) -> Answer<ObjectList> {
        self.answer(Request::List(list), move |sdk, ask| async move { sdk.objects(&list, ask).await })
    }
}

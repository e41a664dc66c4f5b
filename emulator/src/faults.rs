//! Injected faults: which requests fail, how, and how often.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use crate::route::{RequestHead, Route};

/// A failure of a request: what replaces or breaks its answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status instead of the service's answer.
    Status {
        /// The HTTP status, 200 to 599.
        code: u16,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u64>,
        /// The body; `None` means the service's own body for that status.
        body: Option<String>,
    },
    /// This answer without anything of the service's own, for example that of a proxy or a firewall.
    Answer {
        /// The HTTP status, 200 to 599.
        code: u16,
        /// Names and values of the only headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// 200 with these fields around the access token, instead of the service's own fields. If the fields contain an
    /// object `token`, as in NMI's answers, the access token goes there. A request that the service refuses is still
    /// refused.
    TokenFields(
        /// The JSON object without `access_token`.
        serde_json::Value,
    ),
    /// The connection is closed without an answer.
    Drop,
    /// The connection is reset (TCP RST) without an answer.
    Reset,
    /// The connection stays open without an answer.
    Hang,
    /// The service's answer, with only the first half of its body.
    HangInBody,
    /// The service's answer, whose connection closes within the body.
    CutBody {
        /// The number of body bytes that are sent.
        after: usize,
    },
    /// 200 with this body instead of the service's.
    InvalidBody {
        /// The `Content-Type` header.
        content_type: String,
        /// The bytes of the body.
        body: Bytes,
    },
    /// 307 to this address.
    Redirect(
        /// An absolute URL.
        String,
    ),
    /// 200 with a large JSON body: one long string named `value`.
    HugeBody(
        /// The size in bytes.
        u64,
    ),
    /// 200 with a large JSON body and no `content-length`.
    UnannouncedBody(
        /// The size in bytes.
        u64,
    ),
    /// 401 with this `WWW-Authenticate`, whatever the token.
    Challenge(
        /// The header's value.
        String,
    ),
    /// The service's answer in small steps.
    Slow {
        /// Bytes per step.
        step: usize,
        /// The pause before each step.
        pause: Duration,
    },
}

impl Fault {
    /// Creates a fault with this status and the service's own body for it.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None, body: None }
    }

    /// Creates a fault with this status and a foreign HTML page.
    #[must_use]
    pub fn page(code: u16, html: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::Answer { code, headers, body: html.to_owned() }
    }

    /// Creates a fault with 429 and a `Retry-After` header in seconds.
    #[must_use]
    pub fn throttled(retry_after: u64) -> Self {
        Self::Status { code: 429, retry_after: Some(retry_after), body: None }
    }
}

/// The id of an injected fault, with which a test counts its hits or removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(u64);

/// The injected faults. If several match a request, the newest happens.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    rules: BTreeMap<FaultId, Rule>,
    hits: BTreeMap<FaultId, u64>,
}

#[derive(Debug)]
struct Rule {
    route: Route,
    fault: Fault,
    left: Option<u64>,
}

impl Faults {
    /// Makes every matching request fail until the fault is removed.
    pub fn inject(&self, route: Route, fault: Fault) -> FaultId {
        self.add(route, fault, None)
    }

    /// Makes the next `times` matching requests fail.
    pub fn inject_times(&self, times: u64, route: Route, fault: Fault) -> FaultId {
        self.add(route, fault, Some(times))
    }

    /// Removes one fault.
    pub fn remove(&self, id: FaultId) {
        self.lock().rules.remove(&id);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// Returns how often a fault happened.
    #[must_use]
    pub fn hits(&self, id: FaultId) -> u64 {
        self.lock().hits.get(&id).copied().unwrap_or(0)
    }

    /// Returns the fault for a request and counts it.
    pub(crate) fn take(&self, head: &RequestHead) -> Option<Fault> {
        let mut state = self.lock();
        let (id, rule) = state.rules.iter_mut().rev().find(|(_, rule)| rule.route.matches(head))?;
        let (id, fault) = (*id, rule.fault.clone());
        if let Some(left) = &mut rule.left {
            *left -= 1;
            if *left == 0 {
                state.rules.remove(&id);
            }
        }
        *state.hits.entry(id).or_default() += 1;
        Some(fault)
    }

    fn add(&self, route: Route, fault: Fault, left: Option<u64>) -> FaultId {
        let mut state = self.lock();
        let id = FaultId(state.next);
        state.next += 1;
        if left != Some(0) {
            state.rules.insert(id, Rule { route, fault, left });
        }
        id
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::tests::vault_get;

    fn code(fault: Option<Fault>) -> Option<u16> {
        match fault? {
            Fault::Status { code, .. } => Some(code),
            _ => None,
        }
    }

    #[test]
    fn a_counted_fault_ends_after_its_count() {
        let faults = Faults::default();
        let id = faults.inject_times(2, Route::vault("lab"), Fault::status(503));
        let head = vault_get("/secrets/a/");
        assert_eq!(code(faults.take(&head)), Some(503));
        assert_eq!(code(faults.take(&head)), Some(503));
        assert_eq!(code(faults.take(&head)), None);
        assert_eq!(faults.hits(id), 2);
    }

    #[test]
    fn the_newest_matching_fault_wins() {
        let faults = Faults::default();
        faults.inject(Route::any(), Fault::status(500));
        let newer = faults.inject(Route::vault("lab"), Fault::throttled(1));
        let head = vault_get("/secrets/a/");
        assert_eq!(code(faults.take(&head)), Some(429));
        faults.remove(newer);
        assert_eq!(code(faults.take(&head)), Some(500));
        faults.clear();
        assert_eq!(code(faults.take(&head)), None);
    }

    #[test]
    fn zero_times_is_never() {
        let faults = Faults::default();
        faults.inject_times(0, Route::any(), Fault::Drop);
        assert!(faults.take(&vault_get("/")).is_none());
    }
}

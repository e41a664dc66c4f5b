//! Failures on request: which requests fail, how, and how often.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use crate::route::{RequestHead, Route};

/// What happens in place of, or to, the answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status instead of the service's answer.
    Status {
        /// The HTTP status, 200 to 599.
        code: u16,
        /// Seconds for a `Retry-After` header.
        retry_after: Option<u64>,
        /// The body; without one, the service's own body for that status.
        body: Option<String>,
    },
    /// This answer, and nothing of the service's own: that of a proxy or a firewall, for one.
    Answer {
        /// The HTTP status, 200 to 599.
        code: u16,
        /// Names and values of the only headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: String,
    },
    /// 200 with these fields instead of the service's own around the access token that it issues. The token goes into
    /// the object `token` where the fields have one, as in NMI's answers. A request that the service refuses is refused.
    TokenFields(
        /// The JSON object without `access_token`.
        serde_json::Value,
    ),
    /// The connection is closed without an answer.
    Drop,
    /// The connection is reset (TCP RST) without an answer.
    Reset,
    /// No answer, and the connection stays open.
    Hang,
    /// The service's answer, but only the first half of its body.
    HangInBody,
    /// The service's answer, its body cut by a closed connection after so many bytes.
    CutBody {
        /// Bytes of the body that are sent.
        after: usize,
    },
    /// 200 with this instead of the service's body.
    InvalidBody {
        /// `Content-Type` of it.
        content_type: String,
        /// The bytes.
        body: Bytes,
    },
    /// 307 to this address.
    Redirect(
        /// Absolute URL.
        String,
    ),
    /// 200 with a JSON body of so many bytes: one long string named `value`.
    HugeBody(
        /// Size in bytes.
        u64,
    ),
    /// 200 with a JSON body of so many bytes whose length is not announced.
    UnannouncedBody(
        /// Size in bytes.
        u64,
    ),
    /// 401 with this `WWW-Authenticate`, whoever asks.
    Challenge(
        /// The header's value.
        String,
    ),
    /// The service's answer in small steps.
    Slow {
        /// Bytes per step.
        step: usize,
        /// Pause before each step.
        pause: Duration,
    },
}

impl Fault {
    /// This status with the service's own body for it.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None, body: None }
    }

    /// This status with a page of HTML that is none of the service's.
    #[must_use]
    pub fn page(code: u16, html: &str) -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::Answer { code, headers, body: html.to_owned() }
    }

    /// 429 with a `Retry-After` header.
    #[must_use]
    pub fn throttled(retry_after: u64) -> Self {
        Self::Status { code: 429, retry_after: Some(retry_after), body: None }
    }
}

/// Names a fault, to count its hits or take it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultId(u64);

/// The faults in force. The newest that matches a request is the one that happens.
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
    /// Makes every matching request fail until the fault is taken away.
    pub fn inject(&self, route: Route, fault: Fault) -> FaultId {
        self.add(route, fault, None)
    }

    /// Makes the next `times` matching requests fail.
    pub fn inject_times(&self, times: u64, route: Route, fault: Fault) -> FaultId {
        self.add(route, fault, Some(times))
    }

    /// Takes one fault away.
    pub fn remove(&self, id: FaultId) {
        self.lock().rules.remove(&id);
    }

    /// Takes every fault away.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// How often a fault happened.
    #[must_use]
    pub fn hits(&self, id: FaultId) -> u64 {
        self.lock().hits.get(&id).copied().unwrap_or(0)
    }

    /// The fault for a request, counted as having happened.
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

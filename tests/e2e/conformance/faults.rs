//! Answers with which a case replaces Azure's own.

use std::{collections::BTreeMap, time::Duration};

use akv_emulator::{Fault, Route, Service};
use serde::Deserialize;

use crate::harness::Azure;

#[derive(Deserialize)]
pub(crate) struct CaseFault {
    /// A part of the request's `METHOD host /path`.
    #[serde(rename = "match")]
    part: String,
    status: u16,
    /// Milliseconds before the answer.
    #[serde(default, rename = "hangMs")]
    hang: u64,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// The number of requests; -1 means all.
    #[serde(default = "always")]
    times: i64,
    /// Whether a vault's anonymous requests match too.
    #[serde(default)]
    anon: bool,
}

fn always() -> i64 {
    -1
}

/// Injects `faults`, so that the first one has precedence.
pub(crate) fn inject(azure: &Azure, faults: &[CaseFault]) {
    // If several match, the emulator takes the newest.
    for fault in faults.iter().rev() {
        let (route, answer) = (fault.route(), fault.answer());
        if fault.hang > 0 {
            azure.latency().set_for(fault.route(), Duration::from_millis(fault.hang));
        }
        match u64::try_from(fault.times) {
            Ok(times) => azure.faults().inject_times(times, route, answer),
            Err(_) => azure.faults().inject(route, answer),
        };
    }
}

impl CaseFault {
    fn route(&self) -> Route {
        let (part, anonymous) = (self.part.clone(), self.anon);
        Route::any().matching(move |head| {
            let line = format!("{} {} {}", head.method, head.host, head.path);
            line.contains(&part) && (anonymous || head.credentials || head.service != Service::Vault)
        })
    }

    fn answer(&self) -> Fault {
        if let Some(fields) = self.body.strip_prefix("@TOKEN ") {
            assert_eq!((self.status, self.headers.len()), (200, 0), "a token comes with 200");
            return Fault::TokenFields(serde_json::from_str(fields).expect("JSON behind @TOKEN"));
        }
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Fault::Answer { code: self.status, headers, body: self.body.clone() }
    }
}

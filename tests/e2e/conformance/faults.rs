//! Answers that a case puts in the place of Azure's own.

use std::collections::BTreeMap;

use akv_emulator::{Fault, Route, Service};
use serde::Deserialize;

use crate::harness::Azure;

#[derive(Deserialize)]
pub(super) struct CaseFault {
    /// A part of the request's `METHOD host /path`.
    #[serde(rename = "match")]
    part: String,
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// For so many requests; -1 for all.
    #[serde(default = "always")]
    times: i64,
    /// Also for a vault's anonymous requests.
    #[serde(default)]
    anon: bool,
}

fn always() -> i64 {
    -1
}

/// Makes `faults` happen, the first one first.
pub(super) fn inject(azure: &Azure, faults: &[CaseFault]) {
    // Of several that match, the emulator takes the newest.
    for fault in faults.iter().rev() {
        let (route, answer) = (fault.route(), fault.answer());
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

//! The messages of failed mounts: a stable code, the objects, the cause, the action, and the same text for each try.

mod network;
mod refusals;
mod timeouts;

use akv_emulator::{Fault, Route, Service};
use tonic::{Code, Status};

use crate::harness::{MountCall, Provider};

const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";
const OBJECTS: &str = "- objectName: db-password\n  objectType: secret\n";

fn reads() -> Route {
    Route::service(Service::Vault).credentials(true)
}

fn answer(code: u16, body: serde_json::Value) -> Fault {
    Fault::Status { code, retry_after: None, body: Some(body.to_string()) }
}

/// Mounts twice, and returns the status: two tries of one failure have the same message.
async fn failure(provider: &Provider, call: &MountCall) -> Status {
    let one = provider.driver().mount(call).await.expect_err("the mount fails");
    let other = provider.driver().mount(call).await.expect_err("the mount fails again");
    assert_eq!((one.code(), one.message()), (other.code(), other.message()));
    one
}

#[track_caller]
fn assert_message(status: &Status, code: Code, parts: &[&str]) {
    let message = status.message();
    assert_eq!(status.code(), code, "{message}");
    assert!(message.starts_with(parts[0]), "{} does not begin {message}", parts[0]);
    let mut rest = message;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?}, in this order, in {message}"));
        rest = &rest[at + part.len()..];
    }
    assert!(message.len() <= 1_000 && !message.contains('\n'), "not one line of an event: {message}");
}

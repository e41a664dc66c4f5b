//! The causes that messages of timeouts name.

use std::{net::TcpListener, time::Duration};

use akv_emulator::{Fault, Route, Service};
use akv_provider::transport::{Proxy, Timeouts};
use tonic::{Code, Status};

use crate::harness::{Azure, MountCall, Provider};

use super::{OBJECTS, WORKLOAD, assert_message, failure, network::over, reads};

/// A budget that is long enough for all requests but those that hang.
const BUDGET: Duration = Duration::from_millis(700);

async fn given_up(azure: &Azure, call: &MountCall) -> Status {
    // With production's backoffs, an answer that is retried does not end the mount before its time is up.
    let transports = azure.transports_with(Timeouts::within(Duration::from_secs(90)));
    let provider = Provider::start_over_changed(azure, transports, |config| config.mounts.budget = BUDGET);
    failure(&provider, call).await
}

#[tokio::test]
async fn a_timeout_names_the_token_source() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.faults().inject(Route::token_endpoint(), Fault::Hang);
    let status = given_up(&azure, &MountCall::of_secrets(&azure, &["db-password"])).await;
    let asked = format!(
        "asked tenant 11111111-2222-3333-4444-555555555555 at login.microsoftonline.com as workload identity {WORKLOAD}"
    );
    let start = "[AKV-TimeoutToken] cannot read secret/db-password from vault lab: timed out after 0.7s while waiting for \
                 a token from Entra; kubelet tries again";
    assert_message(&status, Code::FailedPrecondition, &[start, &asked]);

    azure.faults().clear();
    azure.faults().inject(Route::service(Service::Imds), Fault::status(500));
    let node = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
    let status = given_up(&azure, &node).await;
    assert_message(
        &status,
        Code::FailedPrecondition,
        &[
            "[AKV-TimeoutToken] ",
            "a token from IMDS; ",
            "asked IMDS at 169.254.169.254 as system-assigned managed identity",
        ],
    );
}

#[tokio::test]
async fn a_timeout_says_which_objects_were_missing_and_what_was_answered_last() {
    let azure = Azure::with_secrets(&[("a", "x"), ("b", "x"), ("c", "x")]).await;
    azure.faults().inject(reads().path_prefix("/secrets/b"), Fault::Hang);
    let status = given_up(&azure, &MountCall::of_secrets(&azure, &["a", "b", "c"])).await;
    assert_message(
        &status,
        Code::FailedPrecondition,
        &[
            "[AKV-TimeoutRead] cannot read secret/a, secret/b, secret/c from vault lab: timed out after 0.7s while waiting \
             for answers from lab.vault.azure.net; ",
        ],
    );

    azure.faults().clear();
    azure.faults().inject(reads(), Fault::status(503));
    let status = given_up(&azure, &MountCall::of_secrets(&azure, &["a"])).await;
    assert_message(
        &status,
        Code::FailedPrecondition,
        &["[AKV-TimeoutRead] cannot read secret/a from vault lab: timed out after 0.7s while "],
    );
}

#[tokio::test]
async fn a_timeout_says_that_the_vault_throttles() {
    let azure = Azure::with_secrets(&[("a", "x")]).await;
    azure.faults().inject(reads(), Fault::throttled(20));
    let status = given_up(&azure, &MountCall::of_secrets(&azure, &["a"])).await;
    assert_message(
        &status,
        Code::FailedPrecondition,
        &["[AKV-TimeoutThrottled] ", "while waiting in the queue of lab.vault.azure.net, which throttles; "],
    );
}

#[tokio::test]
async fn a_timeout_names_the_phase_of_the_connection() {
    let azure = Azure::with_secrets(&[("a", "x")]).await;
    // The kernel accepts connections, and no TLS handshake follows.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let transports = over(&azure, azure.ca_pem(), Proxy::none(), Some(silent.local_addr().unwrap()));
    let provider = Provider::start_over(&azure, transports);
    let mut request = tonic::Request::new(MountCall::of_secrets(&azure, &["a"]).request());
    request.set_timeout(Duration::from_secs(2));
    let status = provider.driver().client().mount(request).await.unwrap_err();
    assert_message(
        &status,
        Code::FailedPrecondition,
        &[
            "[AKV-TimeoutConnect] ",
            "timed out at the caller's deadline while waiting for answers from lab.vault.azure.net (the TLS handshake); ",
        ],
    );
}

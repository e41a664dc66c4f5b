//! Canaries in code paths that no test can reach from outside the process: the node's token sources, and a panic with a
//! secret in it.

use std::{process::Stdio, sync::Arc};

use akv_emulator::{Fault, Route, Service};
use akv_provider::{
    cli::{LogFormat, LogSettings},
    logging,
    transport::Transports,
};
use azure_core::http::Transport;
use futures::future::join_all;
use serde_json::json;
use tokio::process::Command;
use tracing::level_filters::LevelFilter;

use crate::harness::{Azure, MountCall, Panics, Provider};

use super::{VALUE, forms::nothing_secret_is_in, invalid};

const TEST: &str = "canary::inside::no_secret_leaks_through_services_of_the_node_or_a_panic";

/// The log format, for the child process that writes the output.
const INSIDE: &str = "AKV_TEST_CANARY_INSIDE";

/// Runs in a process of its own, since the log and the panic hook are global.
#[tokio::test]
async fn no_secret_leaks_through_services_of_the_node_or_a_panic() {
    if let Some(format) = std::env::var_os(INSIDE) {
        return talk(if format == "json" { LogFormat::Json } else { LogFormat::Text }).await;
    }
    let formats = ["text", "json"].map(|format| async move {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", TEST, "--nocapture"]).env(INSIDE, format).stdin(Stdio::null());
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        for part in [
            "mount failed",
            "a bug of the provider's own ended one task",
            "akv_panics_total 1",
            "AKV-InternalError",
            "IMDS",
            "NMI",
            "token proxy",
            "a profile of",
        ] {
            assert!(said.contains(part), "no {part}:\n{said}");
        }
        nothing_secret_is_in(&said, &[("a secret's value", VALUE.as_bytes())]);
    });
    join_all(formats).await;
}

async fn talk(format: LogFormat) {
    logging::init(&LogSettings { format, level: LevelFilter::TRACE, ignored: Vec::new() });
    let azure = Azure::with_secrets(&[("db-password", VALUE)]).await;
    let transports = azure.transports();
    let panics = Panics { vault: "boom", words: VALUE, below: transports.azure.clone() };
    let transports = Transports { azure: Transport::new(Arc::new(panics)), ..transports };
    let provider = Provider::start_over_changed(&azure, transports, |config| {
        config.admin.metrics_port = Some(0);
        config.admin.pprof_port = Some(0);
        config.mounts.budget = std::time::Duration::from_secs(20);
    });
    let [_, profiles] = provider.ports() else { panic!("two ports") };
    let url = format!("http://{profiles}/debug/pprof/profile?seconds=1");
    let profile = tokio::spawn(async move { reqwest::get(url).await.unwrap().bytes().await.unwrap() });

    let secret = || MountCall::of("- {objectName: db-password, objectType: secret}");
    let imds = secret().with("useVMManagedIdentity", "true");
    let nmi = secret().with("usePodIdentity", "true");
    let bound = secret().workload(&azure).with("useAzureTokenProxy", "true");
    for (call, service) in [(imds, Service::Imds), (nmi, Service::Nmi), (bound, Service::TokenProxy)] {
        // The faults come first, while no token is cached.
        for fault in refusals() {
            azure.faults().clear();
            let id = azure.faults().inject(Route::service(service), fault.clone());
            mount(&provider, &call, Err(())).await;
            assert!(azure.faults().hits(id) > 0, "{fault:?} was not met");
        }
        azure.faults().clear();
        mount(&provider, &call, Ok(())).await;
    }
    mount(&provider, &secret().workload(&azure).with("keyvaultName", "boom"), Err(())).await;

    let profile = profile.await.unwrap();
    println!("a profile of {} bytes: {}", profile.len(), String::from_utf8_lossy(&profile));
    println!("{}", provider.metrics().await);
}

/// Invalid answers of a token source. Their canary is outside of the fields that messages may quote.
fn refusals() -> [Fault; 4] {
    [
        Fault::Status { code: 400, retry_after: None, body: Some(VALUE.to_owned()) },
        Fault::Status { code: 403, retry_after: None, body: Some(json!({ "value": VALUE }).to_string()) },
        invalid(json!({ "access_token": [VALUE], "expires_in": VALUE }).to_string()),
        invalid(format!("{VALUE} is not JSON")),
    ]
}

/// Mounts, and prints the driver's error.
async fn mount(provider: &Provider, call: &MountCall, expected: Result<(), ()>) {
    let mounted = provider.driver().mount(&call.of_another_pod()).await;
    assert_eq!(mounted.as_ref().map(drop).map_err(drop), expected, "{:?}", mounted.err());
    if let Err(status) = mounted {
        println!("{status:?} {}", status.message());
    }
}

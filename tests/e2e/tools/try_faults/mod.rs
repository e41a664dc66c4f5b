//! `try` names the phase that failed, for each row of docs/faults.md that one mount can meet.

mod answers;
mod connections;
mod files;
mod node;

use std::{collections::BTreeSet, path::Path, process::Output};

use akv_emulator::{Fault, Route, Service};
use futures::future::join_all;
use tokio::process::Command;

use super::{class_and_token, stdout};
use crate::harness::Azure;

/// A mount timeout whose parts are long enough for a busy machine: a silent host fails after three seconds.
const TIMEOUT: &str = "--mount-timeout=20s";

const ENTRA: &str = "login.microsoftonline.com";
const VAULT: &str = "lab.vault.azure.net";

/// The rows that one mount of `try` meets, by the test in docs/faults.md, with the test here that names the phase.
const MET: [(&str, &str); 32] = [
    (
        "statuses::a_vault_that_fails_is_asked_again_and_then_reported",
        "server_errors_and_throttling_name_the_request_that_got_them",
    ),
    (
        "statuses::twenty_objects_of_a_failing_vault_are_one_failure",
        "one_failure_among_twenty_objects_names_its_read",
    ),
    (
        "statuses::a_probe_that_fails_is_repeated_and_then_reported",
        "server_errors_and_throttling_name_the_request_that_got_them",
    ),
    (
        "statuses::a_vault_that_throttles_is_asked_again_and_then_reported",
        "server_errors_and_throttling_name_the_request_that_got_them",
    ),
    (
        "statuses::a_throttled_probe_fails_all_waiting_reads_together",
        "server_errors_and_throttling_name_the_request_that_got_them",
    ),
    (
        "statuses::a_retry_after_beyond_the_mount_timeout_fails_at_once",
        "server_errors_and_throttling_name_the_request_that_got_them",
    ),
    ("statuses::one_slow_object_among_twenty_fails_alone", "one_failure_among_twenty_objects_names_its_read"),
    (
        "statuses::a_new_token_that_is_refused_once_is_renewed",
        "a_token_that_the_vault_refuses_fails_the_read",
    ),
    (
        "statuses::entra_that_fails_is_asked_again_and_then_reported",
        "server_errors_and_throttling_name_the_request_that_got_them",
    ),
    (
        "statuses::entra_that_throttles_is_asked_again_and_then_reported",
        "server_errors_and_throttling_name_the_request_that_got_them",
    ),
    (
        "connections::a_vault_that_breaks_off_or_hangs_is_asked_again_and_then_reported",
        "broken_connections_name_the_request_that_they_broke",
    ),
    (
        "connections::a_probe_that_hangs_fails_all_waiting_reads_together",
        "silent_hosts_name_the_request_that_waits",
    ),
    (
        "connections::an_unreachable_vault_is_reported_with_its_name",
        "unknown_names_fail_dns_and_refused_connections_fail_tcp",
    ),
    (
        "connections::entra_that_breaks_off_or_hangs_is_asked_again_and_then_reported",
        "broken_connections_name_the_request_that_they_broke",
    ),
    (
        "connections::a_refused_connection_is_reported_with_its_host",
        "unknown_names_fail_dns_and_refused_connections_fail_tcp",
    ),
    (
        "connections::an_unknown_name_is_reported_with_its_host",
        "unknown_names_fail_dns_and_refused_connections_fail_tcp",
    ),
    (
        "connections::name_servers_that_do_not_answer_are_reported_as_dns",
        "services_of_a_node_that_are_not_there_are_named",
    ),
    (
        "connections::a_proxy_that_is_down_is_reported_as_the_proxy",
        "a_proxy_that_is_down_or_refuses_fails_the_proxy",
    ),
    (
        "connections::an_untrusted_certificate_is_reported_as_such",
        "an_untrusted_certificate_fails_tls_and_is_shown",
    ),
    ("answers::a_list_that_breaks_off_is_asked_for_again", "a_broken_list_of_versions_fails_the_read"),
    ("answers::a_list_of_versions_that_does_not_end_is_refused", "a_broken_list_of_versions_fails_the_read"),
    (
        "answers::an_answer_that_is_not_json_fails_after_one_request",
        "answers_of_something_else_name_the_request_that_got_them",
    ),
    (
        "answers::a_page_of_a_proxy_or_firewall_is_reported_as_such",
        "answers_of_something_else_name_the_request_that_got_them",
    ),
    (
        "answers::a_body_of_200_megabytes_is_refused",
        "answers_of_something_else_name_the_request_that_got_them",
    ),
    ("answers::redirects_are_not_followed", "answers_of_something_else_name_the_request_that_got_them"),
    (
        "trust::a_vault_that_refuses_a_token_does_not_choose_the_next",
        "a_token_that_the_vault_refuses_fails_the_read",
    ),
    (
        "trust::a_challenge_for_another_resource_is_refused",
        "a_challenge_for_another_resource_fails_the_challenge",
    ),
    (
        "trust::a_vault_that_refuses_the_token_and_names_another_authority_gives_a_hint",
        "a_token_that_the_vault_refuses_fails_the_read",
    ),
    ("time::hanging_host_is_reported_before_mount_timeout", "silent_hosts_name_the_request_that_waits"),
    ("node::imds_that_fails_each_time_is_reported", "faults_of_imds_and_nmi_fail_the_token"),
    ("time::clocks_that_disagree_do_not_fail_a_mount", "clocks_that_differ_by_hours_fail_the_token"),
    (
        "load::the_largest_volume_follows_the_drivers_flag",
        "a_volume_that_the_driver_would_not_take_fails_the_files",
    ),
];

/// The rows that `try` cannot meet, and the reason.
const NOT_MET: [(&str, &str); 14] = [
    ("connections::dead_pooled_connections_are_replaced_at_once", "a new process has no pooled connection"),
    ("statuses::a_revoked_token_is_renewed_once", "a new process has no token of an earlier mount"),
    (
        "statuses::an_outage_of_entra_after_a_403_fails_the_refused_object_alone",
        "a new process has no token of an earlier mount",
    ),
    (
        "statuses::an_outage_of_entra_in_the_last_minutes_of_a_token_fails_no_mount",
        "a new process has no token of an earlier mount",
    ),
    ("trust::a_challenge_that_names_another_authority_gets_the_clouds_own_token", "the mount succeeds"),
    ("trust::a_challenge_with_an_older_name_of_the_authority_is_accepted", "the mount succeeds"),
    ("trust::a_vault_with_another_host_than_its_clouds_audience_is_read", "the mount succeeds"),
    ("answers::a_body_that_comes_in_small_pieces_is_read_to_its_end", "the mount succeeds"),
    ("node::imds_that_fails_once_is_asked_again", "the mount succeeds"),
    ("load::a_body_of_200_megabytes_does_not_grow_memory", "the row is about memory; its answer is met"),
    ("load::five_hundred_mounts_at_once_and_five_thousand_in_a_row_succeed", "try makes one mount"),
    ("time::a_mount_without_a_permit_is_reported_and_others_go_on", "try makes one mount"),
    ("load::a_request_over_the_limit_of_grpc_fails_alone", "try calls the provider without gRPC"),
    ("load::a_volume_above_the_drivers_default_reaches_a_driver_that_takes_it", "the mount succeeds"),
];

/// Runs `try` for secret `one` through this proxy, with trust in this CA.
async fn run(azure: &Azure, dir: &Path, proxy: &str, ca: &str) -> Output {
    run_of(azure, dir, &["one"], |class| class, (proxy, ca), &[]).await
}

/// Runs `try` for these secrets, of a class that `change` makes of the usual one.
async fn run_of(
    azure: &Azure,
    dir: &Path,
    secrets: &[&str],
    change: impl FnOnce(String) -> String,
    (proxy, ca): (&str, &str),
    flags: &[&str],
) -> Output {
    let (class, token) = class_and_token(azure, dir, secrets);
    std::fs::write(&class, change(std::fs::read_to_string(&class).unwrap())).unwrap();
    let path = dir.join("ca.pem");
    std::fs::write(&path, ca).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(["try", "-f", &class, "--token-file", &token, "--", TIMEOUT]).args(flags);
    command.env_clear().env("SSL_CERT_FILE", path).env("HTTPS_PROXY", proxy).kill_on_drop(true);
    command.output().await.unwrap()
}

/// Asserts that the mount fails in this phase, with this code, and that the failed step is marked.
fn assert_phase(output: &Output, phase: &str, host: &str, code: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = stdout(output);
    assert!(text.contains(&format!("failed phase: {phase} of {host}")), "no {phase} of {host}: {text}");
    let message = text.lines().last().unwrap();
    assert!(message.starts_with(&format!("[AKV-{code}] ")), "no {code}: {text}");
    let marked = text.lines().any(|line| line.starts_with(&format!("! {phase} ")) && line.contains(host));
    assert!(marked || code == "UnexpectedAnswer" || code == "VaultRefusedToken", "no step is marked: {text}");
}

/// Runs a mount of an Azure with this fault in each request of the route.
async fn injected(route: Route, fault: Fault) -> Output {
    let azure = Azure::with_secrets(&[("one", "x")]).await;
    azure.faults().inject(route, fault);
    let dir = tempfile::tempdir().unwrap();
    run(&azure, dir.path(), &azure.proxy_url(), azure.ca_pem()).await
}

fn entra() -> Route {
    Route::token_endpoint()
}

fn probe() -> Route {
    Route::service(Service::Vault).credentials(false)
}

fn read() -> Route {
    Route::service(Service::Vault).credentials(true)
}

/// Asserts one row for each fault.
async fn rows(route: impl Fn() -> Route, phase: &str, host: &str, faults: Vec<(Fault, &str)>) {
    let rows = faults.into_iter().map(|(fault, code)| {
        let route = route();
        async move {
            let output = injected(route, fault).await;
            assert_phase(&output, phase, host, code);
        }
    });
    join_all(rows).await;
}

#[test]
fn each_row_of_the_matrix_is_tried_or_has_a_reason() {
    let documented: BTreeSet<&str> = include_str!("../../../../docs/faults.md")
        .split('`')
        .filter(|code| code.contains("::") && !code.contains(' '))
        .collect();
    let met = MET.iter();
    let listed: BTreeSet<&str> = met.clone().chain(&NOT_MET).map(|(row, _)| *row).collect();
    assert_eq!(listed, documented);
    let tests = [
        include_str!("answers.rs"),
        include_str!("connections.rs"),
        include_str!("files.rs"),
        include_str!("node.rs"),
    ]
    .concat();
    for (row, test) in met {
        assert!(tests.contains(&format!("async fn {test}()")), "{row}: no test {test}");
    }
}

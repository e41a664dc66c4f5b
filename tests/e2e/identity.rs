//! The identity of a mount, and the messages when Azure refuses it.

use std::time::Duration;

use akv_emulator::{Fault, Route, Service};
use akv_provider::transport::Timeouts;
use serde_json::json;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

const OBJECTS: &str = "- objectName: db-password\n  objectType: secret\n";

const MISSING: &str = "- objectName: missing\n  objectType: secret\n";

fn service_principal() -> MountCall {
    MountCall::of(OBJECTS).with_secrets(&[
        ("clientid", "dddddddd-0000-0000-0000-000000000003"),
        ("clientsecret", "s3cr3t~value"),
    ])
}

#[tokio::test]
async fn each_mode_reads_the_vault_as_its_own_identity() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let managed = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
    for (call, caller) in [
        (MountCall::of(OBJECTS).workload(&azure), "cccccccc-0000-0000-0000-000000000002"),
        (service_principal(), "dddddddd-0000-0000-0000-000000000003"),
        (managed.clone(), "aaaaaaaa-0000-0000-0000-000000000000"),
        (
            managed.with("userAssignedIdentityID", "bbbbbbbb-0000-0000-0000-000000000001"),
            "bbbbbbbb-0000-0000-0000-000000000001",
        ),
        (MountCall::of(OBJECTS).with("usePodIdentity", "true"), "aaaaaaaa-0000-0000-0000-000000000000"),
    ] {
        azure.journal().clear();
        provider.driver().mount(&call).await.unwrap();
        let reads = azure.journal().filter(&Route::service(Service::Vault).credentials(true));
        let callers: Vec<_> = reads.iter().map(|entry| entry.caller.as_deref()).collect();
        assert_eq!(callers, [Some(caller)]);
    }
}

#[tokio::test]
async fn microsofts_example_of_a_nodes_identity_mounts_with_the_placeholder_for_its_tenant() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS).with("tenantId", "<tenant-id>");
    for mode in ["useVMManagedIdentity", "usePodIdentity"] {
        provider.driver().mount(&call.clone().with(mode, "true")).await.unwrap();
    }
    let status = provider.driver().mount(&call.workload(&azure)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("tenantId: invalid tenant"), "{status}");

    let missing = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true").with("objects", MISSING);
    let status = provider.driver().mount(&missing).await.unwrap_err();
    let caller = "asked lab.vault.azure.net as system-assigned managed identity; ";
    assert!(status.message().contains(caller), "of no tenant: {status}");
}

#[tokio::test]
async fn a_refused_identity_is_refused_once_for_all_objects() {
    let azure = Azure::with_secrets(&[]).await;
    let provider = Provider::start(&azure);
    let tokens = azure.service_account_tokens("other", "app");
    let call = MountCall::of_secrets(&azure, &["a", "b", "c", "d", "e"])
        .with("csi.storage.k8s.io/serviceAccount.tokens", &tokens);

    let status = provider.driver().mount(&call).await.unwrap_err();

    assert_eq!(status.code(), Code::Unauthenticated);
    let message = status.message();
    assert!(
        message.starts_with(
            "[AKV-NoFederatedCredential] cannot read secret/a, secret/b, secret/c and 2 more from vault lab: Entra refused \
             the identity: AADSTS70021; add a federated credential for subject 'system:serviceaccount:other:app', issuer \
             'https://"
        ),
        "{message}"
    );
    let rest = "and audience 'api://AzureADTokenExchange' to client cccccccc-0000-0000-0000-000000000002";
    assert!(message.contains(rest), "{message}");
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1);
    assert_eq!(azure.journal().count(&Route::service(Service::Vault).credentials(true)), 0);
}

#[tokio::test]
async fn a_token_that_is_expired_or_forged_is_refused_by_entra() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let expired = azure.expired_service_account_tokens("default", "app");
    let genuine = azure.service_account_tokens("default", "app");
    let mut forged: serde_json::Value = serde_json::from_str(&genuine).unwrap();
    let token = &mut forged["api://AzureADTokenExchange"]["token"];
    let parts: Vec<String> = token.as_str().unwrap().split('.').map(str::to_owned).collect();
    let stolen: String = parts[2].chars().rev().collect();
    *token = format!("{}.{}.{stolen}", parts[0], parts[1]).into();

    for (tokens, code) in [(expired, "AADSTS700024"), (forged.to_string(), "AADSTS")] {
        let call =
            MountCall::of(OBJECTS).workload(&azure).with("csi.storage.k8s.io/serviceAccount.tokens", &tokens);
        let status = provider.driver().mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        assert!(status.message().contains(code), "{status}");
        let claims = tokens.split('.').nth(1).unwrap();
        assert!(!status.message().contains(claims), "the message holds a token");
    }
}

#[tokio::test]
async fn entras_message_is_parsed_with_its_line_ends() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let body = r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided \"keys\" are expired.\r\nTrace ID: 1\r\nCorrelation ID: 2\r\nTimestamp: 3","error_codes":[7000222]}"#;
    let fault = Fault::Status { code: 401, retry_after: None, body: Some(body.to_owned()) };
    azure.faults().inject(Route::token_endpoint(), fault);
    let status = provider.driver().mount(&service_principal()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().contains("AADSTS7000222"), "{status}");
    assert!(status.message().contains("The provided \"keys\" are expired."), "{status}");
    assert!(!status.message().contains("Trace ID"), "{status}");
}

#[tokio::test]
async fn a_wrong_client_secret_is_not_repeated() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS)
        .with_secrets(&[("clientid", "dddddddd-0000-0000-0000-000000000003"), ("clientsecret", "canary")]);
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("as service principal dddddddd"), "{status}");
    assert!(status.message().contains("AADSTS7000215"), "{status}");
    assert!(!status.message().contains("canary"), "{status}");
}

#[tokio::test]
async fn a_client_secret_that_a_gateway_repeats_is_not_in_the_message() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let said = "cannot parse client_id=dddddddd-0000-0000-0000-000000000003&client_secret=canary%2Bcanary";
    // The last one is put off for longer than a mount waits.
    for (code, wait) in [(400, None), (200, None), (503, Some("3600"))] {
        let description = format!("{said} or canary+canary");
        let body = json!({ "error": "invalid_request", "error_description": description }).to_string();
        let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        headers.extend(wait.map(|wait| ("Retry-After".to_owned(), wait.to_owned())));
        azure.faults().clear();
        azure.faults().inject(Route::token_endpoint(), Fault::Answer { code, headers, body });
        let call = MountCall::of(OBJECTS).with_secrets(&[
            ("clientid", "dddddddd-0000-0000-0000-000000000003"),
            ("clientsecret", "canary+canary"),
        ]);
        let status = provider.driver().mount(&call).await.unwrap_err();
        assert!(status.message().contains("client_secret=(removed)"), "{status}");
        assert!(!status.message().contains("canary"), "{status}");
    }
}

#[tokio::test]
async fn an_identity_that_the_node_does_not_have_is_refused_by_imds() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS)
        .with("useVMManagedIdentity", "true")
        .with("userAssignedIdentityID", "99999999-0000-0000-0000-000000000009");
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let wanted = "asked IMDS at 169.254.169.254 as user-assigned managed identity 99999999";
    assert!(status.message().contains(wanted), "{status}");
    assert!(status.message().contains("Identity not found"), "{status}");
}

#[tokio::test]
async fn a_pod_identity_that_nmi_does_not_know_is_refused() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.directory().update(|directory| directory.pod_identity = None);
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS).with("usePodIdentity", "true");
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    assert!(status.message().contains("NMI on the node, for pod default/web-0"), "{status}");
}

#[tokio::test]
async fn identity_binding_finds_its_server_name_when_it_is_first_needed() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    provider.driver().mount(&service_principal()).await.unwrap();
    assert_eq!(azure.cluster_dns().lookups(), 0, "no mount needs it yet");
    azure.journal().clear();
    let call = MountCall::of(OBJECTS).workload(&azure).with("useAzureTokenProxy", "true");
    for _ in 0..2 {
        provider.driver().mount(&call.of_another_pod()).await.unwrap();
    }
    assert_eq!(azure.cluster_dns().lookups(), 2, "the API server, and the token proxy");
    assert_eq!(azure.journal().count(&Route::service(Service::ApiServer)), 0, "its certificate is enough");
    assert_eq!(azure.journal().count(&Route::service(Service::TokenProxy)), 1);
    assert_eq!(azure.journal().count(&Route::service(Service::Entra)), 0);
}

/// As with provider-azure: Azure's SDK for Go replaces the URL alone.
#[tokio::test]
async fn the_token_proxy_gets_the_authoritys_host() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let (stack, login) = (tempfile::NamedTempFile::new().unwrap(), azure.login_url());
    std::fs::write(stack.path(), azure.cloud_file_json()).unwrap();
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS).workload(&azure).with("useAzureTokenProxy", "true");
    let of_stack = call.clone().with("cloudName", "AzureStackCloud");
    let of_stack = of_stack.with("cloudEnvFileName", stack.path().to_str().unwrap());
    for (call, host) in [
        (call, "login.microsoftonline.com"),
        (of_stack, login.trim_start_matches("https://").trim_end_matches('/')),
    ] {
        azure.journal().clear();
        provider.driver().mount(&call.of_another_pod()).await.unwrap();
        let proxied = azure.journal().filter(&Route::service(Service::TokenProxy));
        assert_eq!(proxied.iter().map(|request| request.host.as_str()).collect::<Vec<_>>(), [host]);
    }
}

#[tokio::test]
async fn a_token_proxy_that_failed_is_looked_up_again() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    // Short-lived tokens, so that each mount requests one.
    azure.directory().update(|directory| directory.token_lifetime = Duration::from_secs(60));
    let provider = Provider::start(&azure);
    let call = MountCall::of(OBJECTS).workload(&azure).with("useAzureTokenProxy", "true");

    azure.cluster_dns().set_down(true);
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("--sni-name"), "{status}");
    azure.cluster_dns().set_down(false);
    provider.driver().mount(&call).await.unwrap();
    let found = azure.cluster_dns().lookups();

    let fault = azure.faults().inject(Route::service(Service::TokenProxy), Fault::Drop);
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    azure.faults().remove(fault);
    assert_eq!(azure.cluster_dns().lookups(), found);
    provider.driver().mount(&call).await.unwrap();
    assert_eq!(azure.cluster_dns().lookups(), found + 2);
}

/// Returns pods of identity binding. Each has its own token, and therefore its own credential.
fn bound_pods(azure: &Azure) -> Vec<MountCall> {
    (0..5).map(|pod| bound_pod(azure, pod)).collect()
}

fn bound_pod(azure: &Azure, pod: u64) -> MountCall {
    let audience = "api://AKSIdentityBinding";
    let lifetime = Duration::from_secs(3_600 + pod);
    let token = azure.service_account_token("default", "app", audience, lifetime);
    let tokens = serde_json::json!({ audience: { "token": token } }).to_string();
    let call = MountCall::of(OBJECTS).workload(azure).with("useAzureTokenProxy", "true");
    call.with("csi.storage.k8s.io/serviceAccount.tokens", &tokens).of_another_pod()
}

async fn failure_messages(provider: &Provider, pods: &[MountCall]) -> Vec<String> {
    let driver = provider.driver();
    let mounts = futures::future::join_all(pods.iter().map(|pod| driver.mount(pod))).await;
    mounts.into_iter().map(|mounted| mounted.unwrap_err().message().to_owned()).collect()
}

#[tokio::test]
async fn pods_share_the_search_for_a_token_proxy_and_report_its_timeout() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_changed(&azure, |config| {
        config.mounts.token_limit = Duration::from_secs(2);
    });
    let pods = bound_pods(&azure);
    azure.cluster_dns().set_silent(true);
    for message in failure_messages(&provider, &pods).await {
        assert!(message.starts_with("[AKV-NoTokenProxy] "), "{message}");
        assert!(message.contains("the token proxy was not found within 2 seconds"), "{message}");
    }
    assert_eq!(azure.cluster_dns().lookups(), 1);
    azure.cluster_dns().set_silent(false);
    provider.driver().mount(&pods[0]).await.expect("a failure is not remembered");
}

#[tokio::test]
async fn a_hanging_cluster_dns_is_reported_before_the_token_timeout() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let timeouts = Timeouts { connect: Duration::from_secs(2), ..Timeouts::within(Duration::from_secs(90)) };
    let provider = Provider::start_over_changed(&azure, azure.transports_with(timeouts), |config| {
        config.mounts.token_proxy.server_name = Some("given.ests.aks".to_owned());
    });
    azure.cluster_dns().set_silent(true);
    for message in failure_messages(&provider, &bound_pods(&azure)).await {
        assert!(message.starts_with("[AKV-NoTokenProxy] "), "{message}");
        assert!(message.contains("cannot resolve the token proxy kubernetes.default.svc"), "{message}");
    }
    assert_eq!(azure.cluster_dns().lookups(), 1, "all waited for one answer");
}

#[tokio::test]
async fn a_token_proxy_that_hangs_is_looked_up_again() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_changed(&azure, |config| {
        config.mounts.token_limit = Duration::from_secs(1);
    });
    let pods = bound_pods(&azure);
    let hang = azure.faults().inject(Route::service(Service::TokenProxy), Fault::Hang);
    let status = provider.driver().mount(&pods[0]).await.unwrap_err();
    assert!(status.message().starts_with("[AKV-NoTokenProxy] "), "{status}");
    let lookups = azure.cluster_dns().lookups();
    azure.faults().remove(hang);
    provider.driver().mount(&pods[0]).await.unwrap();
    assert_eq!(azure.cluster_dns().lookups(), lookups + 2);
}

#[tokio::test]
async fn a_token_proxy_that_hangs_does_not_delay_entra() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    // So long that no hanging request is repeated.
    let timeouts =
        Timeouts { read_idle: Duration::from_secs(60), ..Timeouts::within(Duration::from_secs(90)) };
    let provider = Provider::start_over_changed(&azure, azure.transports_with(timeouts), |_| {});
    // The vault has then accepted a token, so that as many mounts run as one vault may have.
    provider.driver().mount(&service_principal()).await.unwrap();
    let hanging = Route::service(Service::TokenProxy);
    azure.faults().inject(hanging.clone(), Fault::Hang);
    // More than the 16 token requests that may be sent to one host at once.
    let mounts: Vec<_> = (0..20)
        .map(|pod| {
            let (driver, pod) = (provider.driver(), bound_pod(&azure, pod));
            tokio::spawn(async move { driver.mount(&pod).await.map(drop) })
        })
        .collect();
    azure.journal().wait_for_route(16, &hanging).await;
    provider.driver().mount(&MountCall::of(OBJECTS).workload(&azure)).await.unwrap();
    // If Entra's request had waited for one of them, the others would have been sent by now.
    assert_eq!(azure.journal().count(&hanging), 16);
    mounts.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_tenant_for_which_entra_hangs_does_not_delay_another() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    // So long that no hanging request is repeated.
    let timeouts =
        Timeouts { read_idle: Duration::from_secs(60), ..Timeouts::within(Duration::from_secs(90)) };
    let provider = Provider::start_over_changed(&azure, azure.transports_with(timeouts), |_| {});
    // The vault has then accepted a token, so that as many mounts run as one vault may have.
    provider.driver().mount(&service_principal()).await.unwrap();
    // In any case of letters it is one tenant.
    let tenants = ["abcdefab-2222-3333-4444-555555555555", "ABCDEFAB-2222-3333-4444-555555555555"];
    let is_hanging = |path: &str| path.to_ascii_lowercase().starts_with("/abcdefab-");
    let hanging = Route::service(Service::Entra).matching(move |head| is_hanging(&head.path));
    azure.faults().inject(hanging.clone(), Fault::Hang);
    // More than the 16 token requests that may be sent for one tenant at once.
    let mounts: Vec<_> = (0..20)
        .map(|pod| {
            let client = format!("eeeeeeee-0000-0000-0000-{pod:012}");
            let call = MountCall::of(OBJECTS).workload(&azure).with("clientID", &client);
            let call = call.with("tenantId", tenants[pod % 2]);
            let (driver, call) = (provider.driver(), call.of_another_pod());
            tokio::spawn(async move { driver.mount(&call).await.map(drop) })
        })
        .collect();
    azure.journal().wait_for_route(16, &hanging).await;
    provider.driver().mount(&MountCall::of(OBJECTS).workload(&azure)).await.unwrap();
    // If the other tenant's request had waited for one of them, the others would have been sent by now.
    assert_eq!(azure.journal().count(&hanging), 16);
    mounts.iter().for_each(tokio::task::JoinHandle::abort);
}

/// IMDS answers 429 to more, and pods can name any number of identities.
#[tokio::test]
async fn imds_gets_five_token_requests_at_once() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    provider.driver().mount(&service_principal()).await.unwrap();
    let imds = Route::service(Service::Imds);
    azure.faults().inject(imds.clone(), Fault::Hang);
    let mounts: Vec<_> = (0..12)
        .map(|pod| {
            let identity = format!("eeeeeeee-0000-0000-0000-{pod:012}");
            let call = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
            let call = call.with("userAssignedIdentityID", &identity).of_another_pod();
            let driver = provider.driver();
            tokio::spawn(async move { driver.mount(&call).await.map(drop) })
        })
        .collect();
    azure.journal().wait_for_route(5, &imds).await;
    provider.driver().mount(&MountCall::of(OBJECTS).workload(&azure)).await.unwrap();
    assert_eq!(azure.journal().count(&imds), 5);
    mounts.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn the_token_proxy_and_its_server_name_can_be_configured() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let flags =
        ["--token-proxy-url=https://proxy.example/tokens", "--sni-name=given.ests.aks"].map(str::to_owned);
    let provider = Provider::start_with(&azure, &flags);
    azure.faults().inject(Route::service(Service::TokenProxy), Fault::status(404));
    let call = MountCall::of(OBJECTS).workload(&azure).with("useAzureTokenProxy", "true");
    provider.driver().mount(&call).await.unwrap_err();
    let asked = azure.journal().filter(&Route::service(Service::TokenProxy));
    assert_eq!(asked[0].host, "login.microsoftonline.com");
    assert!(asked[0].path.starts_with("/tokens/11111111-2222-3333-4444-555555555555/"), "{}", asked[0].path);
    assert_eq!(azure.journal().count(&Route::service(Service::ApiServer)), 0);
}

#[tokio::test]
async fn a_custom_user_agent_reaches_entra_and_the_vault() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let agent = "platform-team/1.0 with more than twenty-four characters";
    let provider = Provider::start_with(&azure, &[format!("--custom-user-agent={agent}")]);
    azure.faults().inject_times(1, Route::service(Service::Vault).credentials(true), Fault::status(503));
    provider.driver().mount(&MountCall::of(OBJECTS).workload(&azure)).await.unwrap();
    for entry in azure.journal().entries() {
        assert!(entry.user_agent.starts_with("azsdk-rust-"), "{}", entry.user_agent);
        assert_eq!(entry.user_agent.matches(agent).count(), 1, "{}", entry.user_agent);
    }
}

#[tokio::test]
async fn azure_stack_with_adfs_is_asked_at_its_own_endpoint() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.directory().update(|directory| {
        directory.tenants = vec!["adfs".to_owned()];
        for application in &mut directory.applications {
            application.tenant = Some("adfs".to_owned());
        }
    });
    let provider = Provider::start(&azure);
    provider.driver().mount(&service_principal().with("tenantId", "adfs")).await.unwrap();
    assert_eq!(azure.journal().count(&Route::service(Service::Entra).path("/adfs/oauth2/token")), 1);
}

#[tokio::test]
async fn imds_that_fails_is_reported_at_the_token_timeout() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start_changed(&azure, |config| {
        config.mounts.token_limit = Duration::from_millis(1_000);
    });
    let call = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true");
    for (fault, last) in [
        (Fault::status(404), "its last answer was status 404"),
        (Fault::throttled(60), "its last answer was status 429"),
        (Fault::Hang, "it did not answer"),
    ] {
        azure.faults().clear();
        azure.faults().inject(Route::service(Service::Imds), fault);
        let status = provider.driver().mount(&call).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        let message = status.message();
        assert!(message.contains("no token from IMDS within 1s: "), "{message}");
        assert!(message.contains(last), "{message}");
    }
}

#[tokio::test]
async fn a_network_error_is_reported_without_the_texts_of_libraries() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    azure.faults().inject(Route::token_endpoint(), Fault::Drop);
    let status = provider.driver().mount(&service_principal()).await.unwrap_err();
    for noise in ["authentication failed", "retry policy", "`reqwest`", "aka.ms"] {
        assert!(!status.message().contains(noise), "{status}");
    }
}

//! Probes, metrics and profiles, as kubelet, Prometheus and a person with `go tool pprof` request them.

use std::{net::SocketAddr, time::Duration};

use akv_emulator::{Fault, ObjectKind, ObjectVersion, Route, Service};
use akv_provider::{
    admin::{Admin, AdminSettings, HealthzSettings},
    metrics::Metrics,
    server::endpoint::Endpoint,
};
use pprof::protos::{Message, Profile};

use crate::harness::{Azure, MountCall, Provider};

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let response = reqwest::get(format!("http://127.0.0.1:{}{path}", address.port())).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn healthz(path: &str, timeout: Duration) -> HealthzSettings {
    HealthzSettings { port: 0, path: path.to_owned(), timeout }
}

#[tokio::test]
async fn probes_check_the_real_socket() {
    let azure = Azure::with_secrets(&[]).await;
    let (mut provider, ports) = Provider::start_with_ports(&azure, |admin| {
        admin.healthz = Some(healthz("/live", Duration::from_secs(10)))
    });
    assert_eq!(get(ports[0], "/live").await, (200, "ok".to_owned()));
    assert_eq!(get(ports[0], "/readyz").await, (200, "ok".to_owned()));
    assert_eq!(get(ports[0], "/healthz").await.0, 404);
    provider.begin_to_stop();
    provider.stopped().await;
}

#[tokio::test]
async fn a_failed_probe_reports_the_cause() {
    let dir = tempfile::tempdir().unwrap();
    let probe = async |socket: &str| {
        let settings = AdminSettings {
            healthz: Some(healthz("/healthz", Duration::from_millis(200))),
            metrics_port: None,
            pprof_port: None,
        };
        let endpoint = Endpoint::Unix(dir.path().join(socket));
        let admin = Admin::bind(&settings, &endpoint, &Metrics::new(false));
        let address = admin.addresses()[0];
        let server = tokio::spawn(admin.serve());
        let answer = get(address, "/healthz").await;
        server.abort();
        answer
    };
    let (status, reason) = probe("missing.sock").await;
    assert_eq!(status, 503);
    assert!(reason.contains("cannot connect to the provider's socket unix://"), "{reason}");

    // A listener accepts connections, and never answers.
    let _silent = std::os::unix::net::UnixListener::bind(dir.path().join("silent.sock")).unwrap();
    let (status, reason) = probe("silent.sock").await;
    assert_eq!(status, 503);
    assert!(reason.contains("does not answer within 200ms"), "{reason}");
}

#[tokio::test]
async fn metrics_count_requests_by_service_and_result() {
    let azure = Azure::with_secrets(&[("db-password", "canary")]).await;
    let expire = |version: &mut ObjectVersion| version.expires = Some(4_000_000_000);
    azure.vaults().change("lab", ObjectKind::Secret, "db-password", None, expire).unwrap();
    azure.faults().inject_times(1, Route::service(Service::Vault).credentials(true), Fault::throttled(0));
    let (provider, ports) = Provider::start_changed_with_ports(&azure, |config| {
        config.admin.metrics_port = Some(0);
        config.mounts.identity_proofs.issuers = vec![azure.service_account_issuer().parse().unwrap()];
    });
    let driver = provider.driver();
    provider.wait_for_metric("akv_issuer_keys{issuer=\"https://oidc.localhost\"} 1").await;
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    driver.mount(&call).await.unwrap();
    let absent = call.clone().with("objects", "- objectName: nope\n  objectType: secret\n");
    driver.mount(&absent).await.unwrap_err();
    let wrong = MountCall::of("- objectName: db-password\n  objectType: secret\n")
        .with_secrets(&[("clientid", "dddddddd-0000-0000-0000-000000000003"), ("clientsecret", "canary")]);
    driver.mount(&wrong).await.unwrap_err();
    // A page is served for some milliseconds.
    provider.wait_for_metric("akv_failures_total{code=\"AKV-WrongClientSecret\"} 1").await;

    let (status, page) = get(ports[0], "/metrics").await;
    assert_eq!(status, 200);
    let common = "os_type=\"linux\",provider=\"azure\",service_name=\"csi-secrets-store-provider-azure\"";
    let mount = "grpc_method=\"/v1alpha1.CSIDriverProvider/Mount\"";
    for line in [
        format!("grpc_request_count{{grpc_code=\"OK\",{mount},{common}}} 1"),
        format!("grpc_request_count{{grpc_code=\"NotFound\",{mount},{common}}} 1"),
        format!("grpc_request_count{{grpc_code=\"Unauthenticated\",{mount},{common}}} 1"),
        format!("keyvault_request_count{{error=\"\",object_name=\"\",object_type=\"secret\",{common}}} 1"),
        format!(
            "keyvault_request_count{{error=\"not_found\",object_name=\"\",object_type=\"secret\",{common}}} 1"
        ),
        "akv_token_requests_total{identity_mode=\"workload identity\",result=\"issued\"} 1".to_owned(),
        "akv_token_requests_total{identity_mode=\"workload identity\",result=\"reused\"} 1".to_owned(),
        "akv_token_requests_total{identity_mode=\"service principal\",result=\"refused\"} 1".to_owned(),
        "akv_identity_proofs_total{result=\"proven\"} 1".to_owned(),
        "akv_upstream_requests_total{operation=\"keys\",status=\"200\",upstream=\"issuer\"} 1".to_owned(),
        "akv_upstream_requests_total{operation=\"token\",status=\"200\",upstream=\"entra\"} 1".to_owned(),
        "akv_upstream_requests_total{operation=\"token\",status=\"401\",upstream=\"entra\"} 1".to_owned(),
        "akv_upstream_requests_total{operation=\"get_secret\",status=\"200\",upstream=\"keyvault\"} 1"
            .to_owned(),
        "akv_upstream_requests_total{operation=\"challenge\",status=\"401\",upstream=\"keyvault\"} 1"
            .to_owned(),
        "akv_upstream_requests_total{operation=\"get_secret\",status=\"404\",upstream=\"keyvault\"} 1"
            .to_owned(),
        "akv_upstream_requests_total{operation=\"get_secret\",status=\"429\",upstream=\"keyvault\"} 1"
            .to_owned(),
        "akv_upstream_throttled_total{upstream=\"keyvault\"} 1".to_owned(),
        "akv_vault_throttled_total{vault=\"lab.vault.azure.net\"} 1".to_owned(),
        "akv_vault_calls_total{kind=\"challenge\",result=\"miss\",vault=\"lab.vault.azure.net\"} 1"
            .to_owned(),
        "akv_vault_calls_total{kind=\"secret\",result=\"miss\",vault=\"lab.vault.azure.net\"} 2".to_owned(),
        "akv_upstream_retries_total{upstream=\"keyvault\"} 1".to_owned(),
        "akv_failures_total{code=\"AKV-NotFound\"} 1".to_owned(),
        "akv_mounts_in_flight 0".to_owned(),
    ] {
        assert!(page.lines().any(|found| found == line), "no {line} in\n{page}");
    }
    azure.vaults().put_secret("spare", "db-password", "canary");
    azure.faults().inject(Route::vault("lab"), Fault::status(501));
    driver.mount(&call.of_another_pod().with("failoverVault", "spare")).await.unwrap();
    provider.wait_for_metric("akv_failover_total{vault=\"lab.vault.azure.net\"} 1").await;
    let (_, page) = get(ports[0], "/metrics").await;
    let docs = include_str!("../../docs/metrics.md");
    let families = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    for family in families {
        assert!(docs.contains(&format!("`{family}`")), "docs/metrics.md does not know {family}");
    }
    let documented = docs.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    // Alerts have a table too.
    for family in documented.filter(|name| !name.starts_with(char::is_uppercase)) {
        assert!(page.contains(&format!("# TYPE {family} ")), "there is no metric {family}");
    }

    let total: u64 = page
        .lines()
        .filter(|line| line.starts_with("akv_upstream_requests_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum();
    assert_eq!(total, azure.journal().total(), "every request is counted, and nothing else");
    assert!(!page.contains("canary") && !page.contains("db-password"), "{page}");
}

#[tokio::test]
async fn metrics_name_objects_if_the_flag_is_set() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let (provider, ports) = Provider::start_changed_with_ports(&azure, |config| {
        config.object_names_in_metrics = true;
        config.admin.metrics_port = Some(0);
    });
    provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
    let (_, page) = get(ports[0], "/metrics").await;
    assert!(page.contains("object_name=\"db-password\""), "{page}");
}

#[tokio::test]
async fn a_cpu_profile_is_in_the_format_of_pprof() {
    let azure = Azure::with_secrets(&[]).await;
    let (_provider, ports) = Provider::start_with_ports(&azure, |admin| admin.pprof_port = Some(0));
    assert!(ports[0].ip().is_loopback());
    let url = format!("http://{}/debug/pprof/profile?seconds=1", ports[0]);
    let (done, busy_until) = std::sync::mpsc::channel::<()>();
    let busy = std::thread::spawn(move || {
        let mut sum = 0u64;
        while let Err(std::sync::mpsc::TryRecvError::Empty) = busy_until.try_recv() {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
    });
    let bytes = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    drop(done);
    let profile = Profile::parse_from_bytes(&bytes).expect("the answer is a profile");
    assert!(!profile.sample.is_empty() && !profile.location.is_empty());
    assert!(profile.string_table.iter().any(|text| text == "cpu"));
    assert_eq!(get(ports[0], "/debug/pprof/profile?seconds=0").await.0, 400);
    busy.join().unwrap();
}

#[tokio::test]
async fn an_occupied_port_does_not_delay_mounts() {
    // Below those that the system gives out: another test would take it once it is free.
    let mut ports = 20_000..30_000;
    let taken = ports.find_map(|port| std::net::TcpListener::bind(("::", port)).ok()).unwrap();
    let port = taken.local_addr().unwrap();
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let (provider, ports) =
        Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(port.port()));
    assert!(ports.is_empty());
    provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();

    // The port is bound as soon as it is free.
    drop(taken);
    let url = format!("http://127.0.0.1:{}/metrics", port.port());
    let begin = std::time::Instant::now();
    let page = loop {
        match reqwest::get(&url).await {
            Ok(page) => break page.text().await.unwrap(),
            Err(_) if begin.elapsed() < Duration::from_secs(30) => {
                tokio::time::sleep(Duration::from_millis(50)).await
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert!(page.contains("akv_build_info"));
}

//! What one pod author can fill: mounts in flight, connections to vaults, and the ports of probes and metrics.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use akv_emulator::{Fault, Route, Service};
use akv_provider::admin::HealthzSettings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinHandle,
};

use crate::{
    harness::{Azure, Driver, MountCall, Provider},
    process::{Process, free_port},
};

/// Starts this many mounts of different pods.
fn mounts(driver: &Driver, call: &MountCall, number: usize) -> Vec<JoinHandle<()>> {
    let mount = |_| {
        let (driver, call) = (driver.clone(), call.of_another_pod());
        tokio::spawn(async move { drop(driver.mount(&call).await) })
    };
    (0..number).map(mount).collect()
}

fn abort(mounts: &[JoinHandle<()>]) {
    mounts.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn two_hanging_vaults_do_not_delay_a_third() {
    let azure = Azure::with_secrets(&[]).await;
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let at = ["hangs", "hangs-too", "healthy"].map(|vault| call.clone().with("keyvaultName", vault));
    for vault in ["hangs", "hangs-too", "healthy"] {
        azure.vaults().put_secret(vault, "db-password", "x");
    }
    let (provider, _) = Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(0));
    for call in &at {
        provider.driver().mount(call).await.unwrap();
    }
    for vault in ["hangs", "hangs-too"] {
        azure.faults().inject(Route::vault(vault).credentials(true), Fault::Hang);
    }
    let first = mounts(&provider.driver(), &at[0], 100);
    provider.wait_for_metric("akv_mounts_waiting 50").await;
    let second = mounts(&provider.driver(), &at[1], 100);
    provider.wait_for_metric("akv_mounts_waiting 125").await;

    // A mount that waited would succeed only after the hanging reads' timeout of a quarter of a minute.
    let (driver, healthy) = (provider.driver(), at[2].of_another_pod());
    let mounted = tokio::time::timeout(Duration::from_secs(10), driver.mount(&healthy)).await;
    mounted.expect("it does not wait for the other vaults").unwrap();
    abort(&first);
    abort(&second);
}

#[tokio::test]
async fn vaults_that_only_a_forged_token_names_share_a_quarter_of_the_permits_and_64_connections() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let names: Vec<String> = (0..64).map(|index| format!("secret-{index}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (provider, _) = Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(0));
    let honest = MountCall::of_secrets(&azure, &["db-password"]);
    provider.driver().mount(&honest).await.unwrap();
    // As if Entra took its time to refuse.
    let hang = azure.faults().inject(Route::token_endpoint(), Fault::Hang);
    azure.journal().clear();

    let forged = MountCall::of_secrets(&azure, &names)
        .with("csi.storage.k8s.io/serviceAccount.tokens", &azure.service_account_tokens("default", "forged"));
    let mut started = Vec::new();
    for vault in 0..100 {
        let vault = format!("invented-{vault}");
        azure.vaults().put_secret(&vault, "secret-0", "x");
        started.extend(mounts(&provider.driver(), &forged.clone().with("keyvaultName", &vault), 1));
    }
    // Two of the quarter are for other namespaces.
    provider.wait_for_metric("akv_mounts_waiting 77").await;
    let probes = Route::service(Service::Vault).credentials(false);
    azure.journal().wait_for_route(23, &probes).await;
    // 64 to the first vault, one for the probe of each other one, and those to Entra.
    let opened = azure.journal().connections();
    assert!(opened <= 64 + 22 + 23, "{opened} connections");

    // Meanwhile a vault that is known is read, with a token that is known.
    provider.driver().mount(&honest.of_another_pod()).await.unwrap();
    azure.faults().remove(hang);
    abort(&started);
}

#[tokio::test]
async fn the_idle_connections_of_any_number_of_vaults_make_room_and_those_in_use_stay() {
    let (azure, names) = Azure::with_numbered_secrets(20).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    azure.latency().set_for(Route::service(Service::Vault).credentials(true), Duration::from_millis(20));
    let provider = Provider::start(&azure);
    let (call, journal) = (MountCall::of_secrets(&azure, &names), azure.journal());
    provider.driver().mount(&call).await.unwrap();
    for vault in 0..40 {
        // An identity that Entra knows names a vault that is not its own.
        let foreign = call.of_another_pod().with("keyvaultName", &format!("foreign-{vault}"));
        provider.driver().mount(&foreign).await.unwrap_err();
        provider.driver().mount(&call.of_another_pod()).await.unwrap();
    }
    assert!(journal.connections() > 800, "{} connections", journal.connections());
    let made_room = journal.wait_until(|journal| journal.open_connections() <= 512 + names.len());
    let is_in_time = tokio::time::timeout(Duration::from_secs(30), made_room).await.is_ok();
    assert!(is_in_time, "{} connections are open", journal.open_connections());

    let before = journal.connections();
    provider.driver().mount(&call.of_another_pod()).await.unwrap();
    assert_eq!(journal.connections(), before, "the vault that is in use keeps its connections");
}

#[tokio::test]
async fn a_node_that_fills_up_opens_no_more_connections_than_requests_may_be_in_flight() {
    let (azure, names) = Azure::with_numbered_secrets(500).await;
    azure.latency().set(Duration::from_millis(10));
    let provider = Provider::start(&azure);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let calls: Vec<_> = names.chunks(50).map(|names| MountCall::of_secrets(&azure, names)).collect();
    // The token is there, so that all reads begin at once.
    provider.driver().mount(&MountCall::of_secrets(&azure, &names[..1])).await.unwrap();
    let mounts = calls.iter().map(|call| {
        let (driver, call) = (provider.driver(), call.of_another_pod());
        async move { driver.mount(&call).await.map(drop) }
    });
    futures::future::try_join_all(mounts).await.unwrap();
    let (connections, tokens) =
        (azure.journal().connections(), azure.journal().count(&Route::token_endpoint()));
    assert!(connections <= 64 + tokens as u64, "{connections} connections, {tokens} tokens");
}

/// Starts a mount of 64 secrets with values of this many bytes, while the vault has a fault, and returns how much the
/// memory grows in MiB until the vault has answered each read.
async fn growth_beside(fault: Fault, bytes: usize) -> u64 {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<_> = (0..64).map(|number| format!("secret-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    for name in &names {
        azure.vaults().put_secret("lab", name, "x");
    }
    let process = Process::start_with(&azure, &[]).await;
    process.driver().mount(&MountCall::of_secrets(&azure, &names)).await.unwrap();
    for name in &names {
        azure.vaults().put_secret("lab", name, &"x".repeat(bytes));
    }
    let before = process.memory("VmHWM");
    let reads = Route::service(Service::Vault).credentials(true);
    azure.faults().inject(reads.clone(), fault);
    azure.journal().clear();
    let mounts = mounts(&process.driver(), &MountCall::of_secrets(&azure, &names), 1);
    azure.journal().wait_for_route(64, &reads).await;
    // The answers are on their way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    abort(&mounts);
    process.memory("VmHWM") - before
}

#[tokio::test]
async fn long_errors_that_are_tried_again_do_not_fill_the_memory() {
    let headers = vec![("Retry-After".to_owned(), "20".to_owned())];
    let growth = growth_beside(Fault::Answer { code: 503, headers, body: "x".repeat(900_000) }, 1).await;
    assert!(growth <= 8, "{growth} MiB, where all answers have 55");
}

#[tokio::test]
async fn long_answers_are_read_a_few_at_a_time() {
    let growth = growth_beside(Fault::HangInBody, 900_000).await;
    assert!(growth <= 12, "{growth} MiB, where half of all answers have 28");
}

#[tokio::test]
async fn an_answer_with_an_endless_head_is_refused() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let head = vec![("x-long".to_owned(), "x".repeat(100_000))];
    let answer = Fault::Answer { code: 200, headers: head, body: "{}".to_owned() };
    azure.faults().inject(Route::service(Service::Vault).credentials(true), answer);
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let status = provider.driver().mount(&call).await.unwrap_err();
    assert!(status.message().contains("message head is too large"), "{status}");
}

#[tokio::test]
async fn long_classes_that_arrive_together_are_all_mounted() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let objects = format!("- {{objectName: db-password, objectType: secret}}\n# {}", "x".repeat(400 << 10));
    let long = MountCall::of(&objects).workload(&azure);
    // Far more than what arrives at once, on the driver's one connection.
    let driver = provider.driver();
    let mounts: Vec<_> = (0..80)
        .map(|_| {
            let (driver, call) = (driver.clone(), long.of_another_pod());
            tokio::spawn(async move { driver.mount(&call).await })
        })
        .collect();
    for mount in mounts {
        assert_eq!(mount.await.unwrap().unwrap().text("db-password"), "x");
    }
}

#[tokio::test]
async fn mounts_in_the_queue_keep_no_text_of_their_classes() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let port = free_port();
    let process = Process::start_with(&azure, &[&format!("--prometheus-port={port}")]).await;
    let waiting = async |number: usize| {
        let (url, line) =
            (format!("http://127.0.0.1:{port}/metrics"), format!("akv_mounts_waiting {number}\n"));
        while !reqwest::get(&url).await.unwrap().text().await.unwrap().contains(&line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let objects = format!("- {{objectName: db-password, objectType: secret}}\n# {}", "x".repeat(400 << 10));
    let long = MountCall::of(&objects).workload(&azure);
    // The vault has then accepted a token, and what a first long class costs is there.
    process.driver().mount(&long).await.unwrap();
    azure.faults().inject(Route::service(Service::Vault).credentials(true), Fault::Hang);
    let in_flight = mounts(&process.driver(), &MountCall::of_secrets(&azure, &["db-password"]), 60);
    waiting(10).await;
    let before = process.memory("VmRSS");
    let queued = mounts(&process.driver(), &long, 80);
    waiting(90).await;
    let after = process.memory("VmRSS");
    // Their texts would be 31 MiB.
    assert!(after < before + 15, "from {before} to {after} MiB");
    abort(&in_flight);
    abort(&queued);
}

#[tokio::test]
async fn a_first_mount_of_twenty_objects_opens_21_connections() {
    let (azure, names) = Azure::with_numbered_secrets(20).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    azure.latency().set_for(Route::service(Service::Vault).credentials(true), Duration::from_millis(100));
    let provider = Provider::start(&azure);
    provider.driver().mount(&MountCall::of_secrets(&azure, &names)).await.unwrap();
    // One to Entra, and one for each read.
    assert_eq!(azure.journal().connections(), 21);
}

/// Opens a connection from an address of this node, and sends half a request.
async fn half_a_request(from: IpAddr, to: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let mut stream = socket.connect(SocketAddr::from(([127, 0, 0, 1], to))).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: a\r\n").await?;
    Ok(stream)
}

#[tokio::test]
async fn probes_get_through_while_pods_fill_the_ports() {
    probes_get_through_beside(8).await;
}

#[tokio::test]
async fn probes_get_through_while_as_many_pods_as_a_port_has_room_have_a_connection_each() {
    probes_get_through_beside(1).await;
}

/// Sends probes from the lowest and the highest loopback address, while 100 pods hold this many connections each.
async fn probes_get_through_beside(connections: usize) {
    let azure = Azure::with_secrets(&[]).await;
    let (_provider, ports) = Provider::start_with_ports(&azure, |admin| {
        let timeout = Duration::from_secs(30);
        admin.healthz = Some(HealthzSettings { port: 0, path: "/healthz".to_owned(), timeout });
    });
    let port = ports[0].port();
    let pods = (2..102).map(|pod| {
        tokio::spawn(async move {
            let mut open = Vec::new();
            loop {
                // A connection that was closed during its start.
                open.extend(half_a_request(IpAddr::from([127, 0, 0, pod]), port).await.ok());
                if open.len() > connections {
                    open.remove(0);
                }
                tokio::task::yield_now().await;
            }
        })
    });
    let pods: Vec<JoinHandle<()>> = pods.collect();
    for (probe, node) in [[127, 0, 0, 1], [127, 255, 255, 254]].into_iter().cycle().enumerate().take(20) {
        let client = reqwest::Client::builder().local_address(IpAddr::from(node)).build().unwrap();
        let answer = client.get(format!("http://127.0.0.1:{port}/healthz")).send().await;
        let status = answer.map(|answer| answer.status().as_u16());
        assert!(matches!(status, Ok(200)), "probe {probe} missed: {status:?}");
    }
    abort(&pods);
}

/// Sends the rest of the request, and returns whether the server answers.
async fn is_answered(stream: &mut TcpStream) -> bool {
    let mut answer = Vec::new();
    let sent = stream.write_all(b"\r\n").await;
    sent.is_ok() && stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200 OK")
}

#[tokio::test]
async fn an_address_keeps_eight_connections_of_a_port_and_all_together_64() {
    let azure = Azure::with_secrets(&[]).await;
    let (_provider, ports) = Provider::start_with_ports(&azure, |admin| admin.metrics_port = Some(0));
    let open = async |pod: u8| half_a_request(IpAddr::from([127, 0, 0, pod]), ports[0].port()).await.unwrap();
    let mut of_one = Vec::new();
    for _ in 0..20 {
        of_one.push(open(2).await);
    }
    // The first twelve are closed for the others, which are alive.
    for stream in &mut of_one[..12] {
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)), "it is not closed");
    }
    assert!(is_answered(&mut of_one[19]).await);

    let mut of_others = Vec::new();
    for pod in 3..20 {
        for _ in 0..8 {
            of_others.push(open(pod).await);
        }
    }
    let mut answered = 0;
    for stream in of_one[12..19].iter_mut().chain(&mut of_others) {
        answered += usize::from(is_answered(stream).await);
    }
    assert!((1..=64).contains(&answered), "{answered} of 143 are answered");
}

#[tokio::test]
async fn a_namespace_that_fills_a_vaults_queue_does_not_delay_another() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("hangs", "x")]).await;
    let provider = Provider::start_changed(&azure, |config| config.admin.metrics_port = Some(0));
    let of = |namespace: &str, name: &str| {
        let call = MountCall::of_secrets(&azure, &[name]).of_another_pod();
        call.with("csi.storage.k8s.io/pod.namespace", namespace)
    };
    // The vault has then accepted a token, so that one namespace has 50 of its permits.
    provider.driver().mount(&of("honest", "db-password")).await.unwrap();
    azure.faults().inject(Route::vault("lab").path_prefix("/secrets/hangs"), Fault::Hang);
    let hostile = mounts(&provider.driver(), &of("hostile", "hangs"), 60);
    provider.wait_for_metric("akv_mounts_waiting 10").await;
    provider.driver().mount(&of("honest", "db-password")).await.unwrap();
    provider.wait_for_metric("akv_mounts_waiting 10").await;
    abort(&hostile);
}

/// Returns a mount of one secret with a comment of this many bytes, at least 10,000, so that its aliases are taken. A
/// namespace has memory for about ten classes like this one.
fn of_large_class(azure: &Azure, namespace: &str, comment: usize) -> MountCall {
    let items: String = (0..80).map(|item| format!("{{path: k, objectAlias: d/{item}}},")).collect();
    let first = format!("- &e {{objectName: hangs, objectType: secret, jmesPath: [{items}]}}\n");
    let objects = first + &"- *e\n".repeat(39);
    commented(azure, namespace, &objects, comment)
}

fn commented(azure: &Azure, namespace: &str, objects: &str, comment: usize) -> MountCall {
    let objects = format!("{objects}# {}", "x".repeat(comment));
    MountCall::of(&objects).workload(azure).with("csi.storage.k8s.io/pod.namespace", namespace)
}

#[tokio::test]
async fn a_namespace_whose_classes_wait_for_memory_does_not_delay_long_classes_of_another() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("hangs", "x")]).await;
    let provider = Provider::start_changed(&azure, |config| config.admin.metrics_port = Some(0));
    // Such a request is not received with any number of others.
    let long = 20_000;
    let objects = "- {objectName: db-password, objectType: secret}\n";
    let honest = commented(&azure, "honest", objects, long);
    provider.driver().mount(&honest.of_another_pod()).await.unwrap();
    azure.faults().inject(Route::vault("lab").path_prefix("/secrets/hangs"), Fault::Hang);
    let hostile = mounts(&provider.driver(), &of_large_class(&azure, "hostile", long), 48);
    provider.wait_for_metric("akv_mounts_waiting 32").await;
    let (driver, call) = (provider.driver(), honest.of_another_pod());
    // Far longer than needed, and shorter than those of the other namespace wait.
    let mounted = tokio::time::timeout(Duration::from_secs(60), driver.mount(&call)).await;
    mounted.expect("it does not wait for the other namespace").unwrap();
    abort(&hostile);
}

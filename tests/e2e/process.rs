//! The binary itself, which reaches the emulator by its environment alone.

use std::{
    fs,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use akv_emulator::{Route, Service};
use akv_provider::transport::{Proxy, Transports};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::harness::{Azure, Driver, MountCall, Provider, in_network_namespace};

/// A running binary, with its socket, the emulator's CA and a cloud file in its own directory.
pub(crate) struct Process {
    pub(crate) dir: TempDir,
    pub(crate) child: Child,
}

impl Process {
    pub(crate) async fn start(azure: &Azure, environment: &[(&str, &str)]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), azure, environment).await
    }

    /// Starts a process with these flags behind the common ones. If a flag is repeated, the last one wins.
    pub(crate) async fn start_with(azure: &Azure, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::launch(dir, azure, &[("HTTPS_PROXY", &azure.proxy_url())], flags).await
    }

    async fn start_in(dir: TempDir, azure: &Azure, environment: &[(&str, &str)]) -> Self {
        Self::launch(dir, azure, environment, &[]).await
    }

    async fn launch(dir: TempDir, azure: &Azure, environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let child = command(dir.path(), azure).args(flags).envs(environment.iter().copied()).spawn();
        let mut process = Self { dir, child: child.expect("the binary starts") };
        listens(&mut process.child, &process.dir.path().join("azure.sock")).await;
        process
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("azure.sock")
    }

    pub(crate) fn driver(&self) -> Driver {
        Driver::new(self.socket())
    }

    /// Returns a size from the process's status, in MiB: `VmRSS` is the current size, `VmHWM` the highest.
    pub(crate) fn memory(&self, field: &str) -> u64 {
        let pid = self.child.id().expect("the provider runs");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the provider has a status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kib: u64 = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).expect("a size");
        kib / 1024
    }

    /// Returns the niceness of each thread, of the one that serves first.
    pub(crate) fn niceness(&self) -> (i32, Vec<i32>) {
        let pid = self.child.id().expect("the provider runs");
        let niceness = |task: &Path| -> i32 {
            let status = fs::read_to_string(task.join("stat")).expect("the thread has a status");
            // proc_pid_stat(5): the 19th field. The second one, the name, may contain blanks.
            let after_name = status.rsplit_once(") ").expect("a name").1;
            after_name.split(' ').nth(16).expect("19 fields").parse().expect("a number")
        };
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the provider has threads");
        let threads = threads.map(|task| task.expect("a thread").path());
        let (serving, others): (Vec<_>, Vec<_>) = threads.partition(|task| task.ends_with(pid.to_string()));
        (niceness(&serving[0]), others.iter().map(|task| niceness(task)).collect())
    }

    pub(crate) async fn signal(self, signal: &str) -> Output {
        let pid = self.child.id().expect("the provider runs").to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await.expect("kill is there");
        assert!(sent.success());
        let output = self.child.wait_with_output().await.unwrap();
        assert!(!self.dir.path().join("azure.sock").exists(), "the socket is left behind");
        output
    }
}

/// Returns the binary's command, with a socket, a CA and a cloud file in this directory.
pub(crate) fn command(dir: &Path, azure: &Azure) -> Command {
    fs::write(dir.join("ca.pem"), azure.ca_pem()).unwrap();
    fs::write(dir.join("cloud.json"), azure.cloud_file_json()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command
        .arg(format!("--endpoint=unix://{}", dir.join("azure.sock").display()))
        .args(["--healthz-port=0", "--prometheus-port=0"])
        .env_clear()
        .env("SSL_CERT_FILE", dir.join("ca.pem"))
        .env("AZURE_ENVIRONMENT_FILEPATH", dir.join("cloud.json"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Waits until a process accepts connections.
pub(crate) async fn listens(child: &mut Child, socket: &Path) {
    while UnixStream::connect(socket).is_err() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "the provider ended before it had a socket: {ended:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn log(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn the_environments_proxy_and_certificates_are_used() {
    let azure = Azure::with_secrets(&[("db-password", "canary")]).await;
    let process = Process::start(&azure, &[("HTTPS_PROXY", &azure.proxy_url())]).await;
    let mounted = process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
    assert_eq!(mounted.text("db-password"), "canary");
    assert!(azure.journal().connects().contains(&"lab.vault.azure.net:443".to_owned()));

    let log = log(&process.signal("-TERM").await);
    assert!(!log.contains("canary"), "{log}");
    assert_eq!(log.lines().count(), 3, "a mount that went well leaves no line: {log}");
}

#[tokio::test]
async fn names_under_localhost_are_reached_without_dns_and_past_the_proxy() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let proxy = azure.proxy_url();
    let process = Process::start(&azure, &[("HTTPS_PROXY", &proxy), ("NO_PROXY", ".localhost")]).await;
    let call = MountCall::of_secrets(&azure, &["db-password"]).with("cloudName", "AzureStackCloud");
    let mounted = process.driver().mount(&call).await.unwrap();
    assert_eq!(mounted.text("db-password"), "x");
    assert!(azure.journal().connects().is_empty());
}

#[tokio::test]
async fn a_failed_mount_leaves_one_line_that_names_it() {
    let azure = Azure::with_secrets(&[]).await;
    let process = Process::start(&azure, &[("HTTPS_PROXY", &azure.proxy_url())]).await;
    process.driver().mount(&MountCall::of_secrets(&azure, &["nope", "nada"])).await.unwrap_err();

    let log = log(&process.signal("-INT").await);
    let lines: Vec<&str> =
        log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    for mention in ["pod=default/web-0", "vault=lab", "workload identity", "code=NotFound", "nope", "nada"] {
        assert!(lines[0].contains(mention), "no {mention} in {}", lines[0]);
    }
}

#[tokio::test]
async fn a_stale_socket_of_a_killed_provider_is_replaced() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let dir = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(dir.path().join("azure.sock")).unwrap());
    let process = Process::start_in(dir, &azure, &[("HTTPS_PROXY", &azure.proxy_url())]).await;
    process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
}

#[tokio::test]
async fn certificates_that_the_system_does_not_trust_are_refused() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let other = Azure::with_own_authority().await;
    let process = Process::start(&other, &[("HTTPS_PROXY", &azure.proxy_url())]).await;
    let status = process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(status.message().contains("certificate"), "{status}");
    assert_eq!(azure.journal().total(), 0);
}

#[tokio::test]
async fn without_a_certificate_to_trust_the_provider_does_not_start() {
    let azure = Azure::with_secrets(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere.pem");
    let output = command(dir.path(), &azure).env("SSL_CERT_FILE", &nowhere).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let log = String::from_utf8(output.stderr).unwrap();
    for part in ["cannot go on", "there are no TLS roots", "SSL_CERT_FILE", "nowhere.pem"] {
        assert!(log.contains(part), "no {part} in {log}");
    }
}

/// A rolling update with a wrong file then stops at its first node.
#[tokio::test]
async fn without_a_usable_file_of_its_default_cloud_the_provider_does_not_start() {
    let azure = Azure::with_secrets(&[]).await;
    for (file, text) in [
        (None, "AzureStackCloud needs a cloud environment file; set AZURE_ENVIRONMENT_FILEPATH"),
        (Some("missing.json"), "AzureStackCloud cannot be used: cannot read the cloud environment file /"),
        (Some("ca.pem"), "ca.pem is not a JSON object"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut command = command(dir.path(), &azure);
        command.arg("--cloud-name=AzureStackCloud");
        match file {
            Some(file) => command.env("AZURE_ENVIRONMENT_FILEPATH", dir.path().join(file)),
            None => command.env_remove("AZURE_ENVIRONMENT_FILEPATH"),
        };
        let output = command.output().await.unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let log = String::from_utf8(output.stderr).unwrap();
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains("flag --cloud-name: ") && log.contains(text), "no {text} in {log}");
        assert!(!dir.path().join("azure.sock").exists(), "a provider that serves would lose its socket");
    }
}

#[tokio::test]
async fn the_exit_code_distinguishes_mistakes_from_failures() {
    for (arguments, code, text) in [
        (&["--endpiont=unix:///a"][..], 2, "--endpiont"),
        (&["--endpoint=/a"], 2, "unix:///"),
        (&["--endpoint=unix:///nonexistent/azure.sock"], 1, "/nonexistent/azure.sock"),
        (&["--version"], 0, "\"version\":\"0.1.0\""),
        (&["--help"], 0, "--endpoint"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_akv-provider")).args(arguments).output().await.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(text), "{arguments:?}: {said}");
    }
}

/// Returns a port that is free now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("[::]:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn aks_arguments_for_provider_azure_start_this_provider() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let (healthz, metrics) = (free_port(), free_port());
    let process = Process::start_with(
        &azure,
        &[
            "--log-format-json=false",
            "-v=2",
            "--construct-pem-chain=true",
            "--custom-user-agent='kubernetes.azure.com/managedby: aks'",
            &format!("--healthz-port={healthz}"),
            "--healthz-path=/healthz",
            "--healthz-timeout=5s",
            "--write-cert-and-key-in-separate-files=true",
            "--logtostderr=true",
            &format!("--prometheus-port={metrics}"),
        ],
    )
    .await;
    process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
    assert!(azure.journal().entries()[0].user_agent.ends_with("'kubernetes.azure.com/managedby: aks'"));
    let get = async |port: u16, path: &str| {
        reqwest::get(format!("http://127.0.0.1:{port}{path}")).await.unwrap().text().await.unwrap()
    };
    assert_eq!(get(healthz, "/healthz").await, "ok");
    assert!(get(metrics, "/metrics").await.contains("grpc_request_count"));

    let log = log(&process.signal("-TERM").await);
    assert!(log.contains("flags of klog without effect flags=\"logtostderr\""), "{log}");
    let mounted: Vec<&str> = log.lines().filter(|line| line.contains("mounted")).collect();
    assert_eq!(mounted.len(), 1, "at level 2 each mount has a line: {log}");
    assert!(mounted[0].contains("pod=default/web-0") && mounted[0].contains("files=1"), "{}", mounted[0]);
}

#[tokio::test]
async fn log_lines_are_json_if_the_flag_is_set() {
    let azure = Azure::with_secrets(&[]).await;
    let process = Process::start_with(&azure, &["--log-format-json"]).await;
    process.driver().mount(&MountCall::of_secrets(&azure, &["nope"])).await.unwrap_err();
    let log = log(&process.signal("-TERM").await);
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let failed: Vec<_> = lines.iter().filter(|line| line["level"] == "WARN").collect();
    assert_eq!(failed.len(), 1, "{log}");
    assert_eq!(failed[0]["code"], "NotFound");
    assert_eq!(failed[0]["span"]["pod"], "default/web-0");
    assert_eq!(failed[0]["span"]["vault"], "lab");
    assert_eq!(failed[0]["span"]["identity_mode"], "workload identity");
}

#[tokio::test]
async fn a_class_without_a_cloud_gets_the_operators_cloud() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let process = Process::start_with(&azure, &["--cloud-name=AzureChinaCloud"]).await;
    process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
    let hosts = azure.journal().connects();
    assert!(hosts.contains(&"lab.vault.azure.cn:443".to_owned()), "{hosts:?}");
    assert!(hosts.contains(&"login.chinacloudapi.cn:443".to_owned()), "{hosts:?}");
}

#[tokio::test]
async fn a_class_without_a_cloud_gets_the_operators_cloud_file() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let process = Process::start_with(&azure, &["--cloud-name=AzureStackCloud"]).await;
    process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
    let hosts = azure.journal().connects();
    assert!(hosts.iter().any(|host| host.starts_with("lab.vault.localhost:")), "{hosts:?}");
}

#[tokio::test]
async fn a_provider_can_be_served_over_tcp() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let address = format!("127.0.0.1:{}", free_port());
    let provider = Provider::start_changed(&azure, |config| {
        config.endpoint = format!("tcp://{address}").parse().unwrap();
    });
    let driver = Driver::at(format!("http://{address}"));
    assert_eq!(
        driver.mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap().text("db-password"),
        "x"
    );
    provider.stopped().await;
}

/// The demo is the first thing that a new user runs.
#[tokio::test]
async fn the_demo_shows_files_calls_and_a_failure() {
    let demo = PathBuf::from(env!("CARGO_BIN_EXE_akv-provider")).with_file_name("examples").join("mount");
    if !demo.exists() {
        println!("skipped: the example mount is built when all targets are");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(demo).arg(directory.path()).output().await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for mention in [
        "0644     28  db-password      a secret of 28 bytes",
        "public key, RSA 2048",
        "3 certificates in order",
        "GET 169.254.169.254/metadata/identity/oauth2/token 200",
        "secret/db-pasword: 404 SecretNotFound",
    ] {
        assert!(said.contains(mention), "no {mention:?} in {said}");
    }
    assert!(!said.contains("correct horse"), "{said}");
}

#[tokio::test]
async fn imds_is_asked_at_its_real_address() {
    if !in_network_namespace("process::imds_is_asked_at_its_real_address").await {
        return;
    }
    let azure = Azure::around_a_node().await;
    azure.vaults().put_secret("lab", "db-password", "x");
    let mut transports = azure.transports();
    transports.node = Transports::system(Proxy::none(), transports.timeouts).unwrap().node;
    let provider = Provider::start_over(&azure, transports);
    let call = MountCall::of("- objectName: db-password\n  objectType: secret\n")
        .with("useVMManagedIdentity", "true")
        .with("userAssignedIdentityID", "bbbbbbbb-0000-0000-0000-000000000001");
    assert_eq!(provider.driver().mount(&call).await.unwrap().text("db-password"), "x");
    assert_eq!(azure.journal().count(&Route::service(Service::Imds)), 1);
}

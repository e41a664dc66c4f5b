//! A running provider with its own socket.

use std::{net::SocketAddr, path::PathBuf};

use akv_provider::{
    admin::AdminSettings,
    app::App,
    cli::{self, Command, Config, Environment},
    transport::Transports,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::Status;

use super::{
    azure::Azure,
    driver::{Driver, Mounted},
    request::MountCall,
};

/// The real server in this process, configured by a command line.
pub(crate) struct Provider {
    dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    ports: Vec<SocketAddr>,
}

impl Provider {
    /// Starts a provider with no flag but its endpoint.
    pub(crate) fn start(azure: &Azure) -> Self {
        Self::start_with(azure, &[])
    }

    /// Starts a provider with these flags.
    pub(crate) fn start_with(azure: &Azure, flags: &[String]) -> Self {
        Self::launch(azure, azure.transports(), flags, |_| {})
    }

    /// Starts a provider with settings that have no flag.
    pub(crate) fn start_changed(azure: &Azure, change: impl FnOnce(&mut Config)) -> Self {
        Self::launch(azure, azure.transports(), &[], change)
    }

    /// Starts a provider with these ports for probes, metrics and profiles, and returns their addresses.
    pub(crate) fn start_with_ports(
        azure: &Azure,
        ports: impl FnOnce(&mut AdminSettings),
    ) -> (Self, Vec<SocketAddr>) {
        Self::start_changed_with_ports(azure, |config| ports(&mut config.admin))
    }

    /// Like [`Self::start_changed`], and returns the ports' addresses.
    pub(crate) fn start_changed_with_ports(
        azure: &Azure,
        change: impl FnOnce(&mut Config),
    ) -> (Self, Vec<SocketAddr>) {
        let provider = Self::launch(azure, azure.transports(), &[], change);
        let ports = provider.ports.clone();
        (provider, ports)
    }

    /// Starts a provider with the test's own transports, and with metrics.
    pub(crate) fn start_over(azure: &Azure, transports: Transports) -> Self {
        Self::launch(azure, transports, &[], |config| config.admin.metrics_port = Some(0))
    }

    /// Starts a provider with the test's own transports, and with settings that have no flag.
    pub(crate) fn start_over_changed(
        azure: &Azure,
        transports: Transports,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::launch(azure, transports, &[], change)
    }

    /// Starts a provider with the test's own transports, and with these flags.
    pub(crate) fn start_over_with(azure: &Azure, transports: Transports, flags: &[String]) -> Self {
        Self::launch(azure, transports, flags, |_| {})
    }

    /// Returns the metrics as Prometheus would read them, if the test has a port for them.
    pub(crate) async fn metrics(&self) -> String {
        self.ask_for_metrics().await.expect("metrics are served")
    }

    async fn ask_for_metrics(&self) -> reqwest::Result<String> {
        let url = format!("http://127.0.0.1:{}/metrics", self.ports[0].port());
        reqwest::get(url).await?.text().await
    }

    /// Waits until the metrics contain this line.
    pub(crate) async fn wait_for_metric(&self, line: &str) {
        let there = async {
            // The test and the provider share a thread, which may be busy for longer than a request may take to arrive.
            while !self.ask_for_metrics().await.is_ok_and(|page| page.lines().any(|found| found == line)) {
                tokio::task::yield_now().await;
            }
        };
        // Far longer than needed, so that the test fails instead of hanging.
        let there = tokio::time::timeout(std::time::Duration::from_secs(120), there).await;
        there.unwrap_or_else(|_| panic!("no {line}"));
    }

    fn launch(
        azure: &Azure,
        transports: Transports,
        flags: &[String],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let endpoint = format!("--endpoint=unix://{}", dir.path().join("azure.sock").display());
        // Ports are off unless a test needs them, as many providers run at once.
        let off = ["--healthz-port=0", "--prometheus-port=0"].map(str::to_owned);
        let arguments = off.into_iter().chain(flags.iter().cloned()).chain([endpoint]);
        let ca_file = dir.path().join("ca.crt");
        std::fs::write(&ca_file, azure.ca_pem()).expect("the CA can be written");
        let mut config = match cli::parse(arguments, Environment::default()) {
            Ok(Command::Serve(config)) => *config,
            other => panic!("{flags:?} do not start the provider: {other:?}"),
        };
        config.mounts.token_proxy.ca_file = ca_file;
        change(&mut config);
        let app = App::bind(config).expect("the socket can be bound");
        let ports = app.admin().addresses();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            app.run(transports, stopped).await.expect("the server runs");
        });
        Self { dir, stop: Some(stop), task, ports }
    }

    /// Returns the addresses of probes, metrics and profiles, as far as the test has ports for them.
    pub(crate) fn ports(&self) -> &[SocketAddr] {
        &self.ports
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("azure.sock")
    }

    /// Returns a driver that is connected to this provider.
    pub(crate) fn driver(&self) -> Driver {
        Driver::new(self.socket())
    }

    /// Starts a mount of a pod for each list of secrets in vault `lab`.
    pub(crate) fn mounts_of_pods<'a>(
        &self,
        azure: &Azure,
        secrets: impl Iterator<Item = &'a [&'a str]>,
    ) -> Vec<JoinHandle<Result<Mounted, Status>>> {
        let mount = |names: &[&str]| {
            let (driver, call) = (self.driver(), MountCall::of_secrets(azure, names).of_another_pod());
            tokio::spawn(async move { driver.mount(&call).await })
        };
        secrets.map(mount).collect()
    }

    /// Begins to stop the server, as SIGTERM does.
    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(self) {
        let Self { dir, stop, task, .. } = self;
        drop(stop);
        task.await.expect("the server does not panic");
        drop(dir);
    }
}

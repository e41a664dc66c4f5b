//! A running provider with a socket of its own.

use std::{net::SocketAddr, path::PathBuf};

use akv_provider::{
    admin::AdminSettings,
    app::App,
    cli::{self, Command, Config, Environment},
    transport::Transports,
};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

use super::{azure::Azure, driver::Driver};

/// The real server in this process, started as its command line says.
pub(crate) struct Provider {
    dir: TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    ports: Vec<SocketAddr>,
}

impl Provider {
    /// Without any flag but its endpoint.
    pub(crate) fn start(azure: &Azure) -> Self {
        Self::start_with(azure, &[])
    }

    /// With these flags.
    pub(crate) fn start_with(azure: &Azure, flags: &[String]) -> Self {
        Self::launch(azure, azure.transports(), flags, |_| {})
    }

    /// With what no flag says.
    pub(crate) fn start_changed(azure: &Azure, change: impl FnOnce(&mut Config)) -> Self {
        Self::launch(azure, azure.transports(), &[], change)
    }

    /// With these ports for probes, metrics and profiles, and where they are.
    pub(crate) fn start_with_ports(
        azure: &Azure,
        ports: impl FnOnce(&mut AdminSettings),
    ) -> (Self, Vec<SocketAddr>) {
        Self::start_changed_with_ports(azure, |config| ports(&mut config.admin))
    }

    /// As [`Self::start_changed`], and where the ports are.
    pub(crate) fn start_changed_with_ports(
        azure: &Azure,
        change: impl FnOnce(&mut Config),
    ) -> (Self, Vec<SocketAddr>) {
        let provider = Self::launch(azure, azure.transports(), &[], change);
        let ports = provider.ports.clone();
        (provider, ports)
    }

    /// With transports of the test's own, and metrics.
    pub(crate) fn start_over(azure: &Azure, transports: Transports) -> Self {
        Self::launch(azure, transports, &[], |config| config.admin.metrics_port = Some(0))
    }

    /// With transports of the test's own, and what no flag says.
    pub(crate) fn start_over_changed(
        azure: &Azure,
        transports: Transports,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        Self::launch(azure, transports, &[], change)
    }

    /// What Prometheus would read, where the test has a port for it.
    pub(crate) async fn metrics(&self) -> String {
        let url = format!("http://127.0.0.1:{}/metrics", self.ports[0].port());
        reqwest::get(url).await.expect("metrics are served").text().await.expect("metrics are text")
    }

    /// Waits until one of the lines that Prometheus would read is this one.
    pub(crate) async fn wait_for_metric(&self, line: &str) {
        let there = async {
            while !self.metrics().await.lines().any(|found| found == line) {
                tokio::task::yield_now().await;
            }
        };
        // Long after it should be there: a test that fails is worth more than one that never ends.
        let there = tokio::time::timeout(std::time::Duration::from_secs(30), there).await;
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
        // Ports are off unless a test asks for them, as many providers run at once.
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
        let app = App::bind(config).expect("the socket can be had");
        let ports = app.admin().addresses();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            app.run(transports, stopped).await.expect("the server runs");
        });
        Self { dir, stop: Some(stop), task, ports }
    }

    /// Where probes, metrics and profiles are, as far as the test has ports for them.
    pub(crate) fn ports(&self) -> &[SocketAddr] {
        &self.ports
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("azure.sock")
    }

    /// A driver that knows this provider.
    pub(crate) fn driver(&self) -> Driver {
        Driver::new(self.socket())
    }

    /// What SIGTERM does, as far as this process is concerned.
    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Completes when the server has ended.
    pub(crate) async fn stopped(self) {
        let Self { dir, stop, task, .. } = self;
        drop(stop);
        task.await.expect("the server does not panic");
        drop(dir);
    }
}

//! The HTTP servers: probes for kubelet, metrics for Prometheus, CPU profiles for developers.

mod connections;
mod healthz;
mod metrics_pages;
mod port;
mod profile;
mod serve;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use tokio::{net::TcpListener, task::JoinSet, time::Instant};

use crate::{metrics::Metrics, report::Report, server::endpoint::Endpoint};

use self::{
    metrics_pages::MetricsPages,
    port::{Port, Reach},
};

/// The settings of the HTTP servers; `None` turns one off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// The settings of `/healthz` and `/readyz`.
    pub healthz: Option<HealthzSettings>,
    /// The port of `/metrics` (`--prometheus-port`).
    pub metrics_port: Option<u16>,
    /// The port of CPU profiles (`--pprof-port`, with `--enable-pprof`).
    pub pprof_port: Option<u16>,
}

/// The settings of the probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthzSettings {
    /// The port of both probes (`--healthz-port`).
    pub port: u16,
    /// The path of the liveness probe (`--healthz-path`); it begins with a slash.
    pub path: String,
    /// How long the provider may take to answer over its socket (`--healthz-timeout`).
    pub timeout: Duration,
}

/// A set of HTTP pages and their ports.
#[derive(Debug, Default)]
pub struct Admin {
    pages: Vec<Page>,
}

#[derive(Debug)]
struct Page {
    port: Port,
    routes: Router,
    /// The longest time of a connection.
    exchange: Duration,
    listener: Option<TcpListener>,
}

/// How long a client may take to read an answer, beyond the time that the answer takes.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

impl Admin {
    /// Binds every port that is free. Must be called within a tokio runtime.
    ///
    /// If another process holds a port, the error is logged and the port is tried again while serving: pods must not
    /// wait for metrics.
    pub fn bind(settings: &AdminSettings, endpoint: &Endpoint, metrics: &Metrics) -> Self {
        let healthz = settings.healthz.as_ref().map(|healthz| {
            let port = Port {
                what: "healthz",
                flag: "healthz-port",
                number: healthz.port,
                reach: Reach::Everywhere,
            };
            (port, healthz::routes(healthz, endpoint.clone()), healthz.timeout + READ_TIMEOUT)
        });
        let metrics = settings.metrics_port.map(|number| {
            let (metrics, pages) = (metrics.clone(), Arc::new(Mutex::new(MetricsPages::default())));
            let page = async move || {
                let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
                ([(CONTENT_TYPE, metrics.content_type())], pages.get(Instant::now, || metrics.page()))
            };
            let port = Port { what: "metrics", flag: "prometheus-port", number, reach: Reach::Everywhere };
            (port, Router::new().route("/metrics", get(page)), READ_TIMEOUT)
        });
        let pprof = settings.pprof_port.map(|number| {
            let port = Port { what: "pprof", flag: "pprof-port", number, reach: Reach::Loopback };
            (port, profile::routes(), profile::LONGEST + READ_TIMEOUT)
        });
        let pages = [healthz, metrics, pprof].into_iter().flatten().map(|(port, routes, exchange)| {
            let listener = port.bind();
            let listener = listener
                .map_err(|error| tracing::error!(error = %Report(&error), "going on without it"))
                .ok();
            Page { port, routes, exchange, listener }
        });
        Self { pages: pages.collect() }
    }

    /// Returns the addresses of the listeners, in the order of the settings.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.pages.iter().filter_map(|page| page.listener.as_ref()?.local_addr().ok()).collect()
    }

    /// Serves until dropped.
    pub async fn serve(self) {
        let mut servers = JoinSet::new();
        for Page { port, routes, exchange, listener } in self.pages {
            servers.spawn(async move {
                let listener = match listener {
                    Some(listener) => listener,
                    None => port.wait().await,
                };
                serve::serve(listener, routes, exchange).await;
            });
        }
        while let Some(ended) = servers.join_next().await {
            tracing::error!(?ended, "a listener for probes, metrics or profiles ended");
        }
        std::future::pending().await
    }
}

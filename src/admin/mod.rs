//! HTTP beside gRPC: probes for kubelet, metrics for Prometheus, profiles for whoever looks for the slow part.

mod healthz;
mod port;
mod profile;

use std::{net::SocketAddr, time::Duration};

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{metrics::Metrics, report::Report, server::endpoint::Endpoint};

use self::port::{Port, Reach};

/// What is served beside gRPC; what is `None` is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSettings {
    /// `/healthz` and `/readyz`.
    pub healthz: Option<HealthzSettings>,
    /// `--prometheus-port`: `/metrics`.
    pub metrics_port: Option<u16>,
    /// `--pprof-port`, with `--enable-pprof`.
    pub pprof_port: Option<u16>,
}

/// Probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthzSettings {
    /// `--healthz-port`
    pub port: u16,
    /// `--healthz-path`, beginning with a slash.
    pub path: String,
    /// `--healthz-timeout`: how long the provider may take to answer over its socket.
    pub timeout: Duration,
}

/// Pages, and the ports that they are served on.
#[derive(Debug, Default)]
pub struct Admin {
    pages: Vec<Page>,
}

#[derive(Debug)]
struct Page {
    port: Port,
    routes: Router,
    listener: Option<TcpListener>,
}

impl Admin {
    /// Takes every port that can be had now. Must be called within a tokio runtime.
    ///
    /// A port that somebody else has is told of and tried again while serving: pods wait for their secrets, and nobody
    /// waits for metrics.
    pub fn bind(settings: &AdminSettings, endpoint: &Endpoint, metrics: &Metrics) -> Self {
        let healthz = settings.healthz.as_ref().map(|healthz| {
            let port = Port {
                what: "healthz",
                flag: "healthz-port",
                number: healthz.port,
                reach: Reach::Everywhere,
            };
            (port, healthz::routes(healthz, endpoint.clone()))
        });
        let metrics = settings.metrics_port.map(|number| {
            let metrics = metrics.clone();
            let page = async move || ([(CONTENT_TYPE, metrics.content_type())], metrics.page());
            let port = Port { what: "metrics", flag: "prometheus-port", number, reach: Reach::Everywhere };
            (port, Router::new().route("/metrics", get(page)))
        });
        let pprof = settings.pprof_port.map(|number| {
            (Port { what: "pprof", flag: "pprof-port", number, reach: Reach::Loopback }, profile::routes())
        });
        let pages = [healthz, metrics, pprof].into_iter().flatten().map(|(port, routes)| {
            let listener = port.bind();
            let listener = listener
                .map_err(|error| tracing::error!(error = %Report(&error), "going on without it"))
                .ok();
            Page { port, routes, listener }
        });
        Self { pages: pages.collect() }
    }

    /// Where the listeners are, in the order of the settings.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.pages.iter().filter_map(|page| page.listener.as_ref()?.local_addr().ok()).collect()
    }

    /// Serves until dropped. A listener that breaks is told of and given up; mounts go on.
    pub async fn serve(self) {
        let mut servers = JoinSet::new();
        for Page { port, routes, listener } in self.pages {
            servers.spawn(async move {
                let listener = match listener {
                    Some(listener) => listener,
                    None => port.wait().await,
                };
                axum::serve(listener, routes).await
            });
        }
        while let Some(ended) = servers.join_next().await {
            tracing::error!(?ended, "a listener for probes, metrics or profiles ended");
        }
        std::future::pending().await
    }
}

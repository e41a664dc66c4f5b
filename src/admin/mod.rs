//! HTTP beside gRPC: probes for kubelet, metrics for Prometheus, profiles for whoever looks for the slow part.

mod healthz;
mod listener;
mod profile;

use std::{future::IntoFuture, net::SocketAddr, time::Duration};

use axum::{Router, http::header::CONTENT_TYPE, routing::get};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{metrics::Metrics, server::endpoint::Endpoint};

pub use self::listener::PortError;

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

/// Listeners that callers can already connect to.
#[derive(Debug, Default)]
pub struct Admin {
    pages: Vec<(TcpListener, Router)>,
}

impl Admin {
    /// Takes every port. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The first port that cannot be had, and what it is for.
    pub fn bind(settings: &AdminSettings, endpoint: &Endpoint, metrics: &Metrics) -> Result<Self, PortError> {
        let mut pages = Vec::new();
        if let Some(healthz) = &settings.healthz {
            let listener = listener::everywhere("healthz", healthz.port)?;
            pages.push((listener, healthz::routes(healthz, endpoint.clone())));
        }
        if let Some(port) = settings.metrics_port {
            let metrics = metrics.clone();
            let page = async move || ([(CONTENT_TYPE, metrics.content_type())], metrics.page());
            pages.push((listener::everywhere("metrics", port)?, Router::new().route("/metrics", get(page))));
        }
        if let Some(port) = settings.pprof_port {
            pages.push((listener::loopback("pprof", port)?, profile::routes()));
        }
        Ok(Self { pages })
    }

    /// Where the listeners are, in the order of the settings.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.pages.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect()
    }

    /// Serves until dropped. A listener that breaks is told of and given up; mounts go on.
    pub async fn serve(self) {
        let mut servers = JoinSet::new();
        for (listener, routes) in self.pages {
            servers.spawn(axum::serve(listener, routes).into_future());
        }
        while let Some(ended) = servers.join_next().await {
            tracing::error!(?ended, "a listener for probes, metrics or profiles ended");
        }
        std::future::pending().await
    }
}

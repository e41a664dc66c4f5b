//! The values of the flags, and their conversion to a [`Config`].

use std::{path::PathBuf, time::Duration};

use azure_core::http::Url;
use tracing::level_filters::LevelFilter;

use crate::{
    admin::{AdminSettings, HealthzSettings},
    cloud::CloudDefaults,
    content::{
        chain::ChainOrder,
        secret::{CertificateSettings, PemFiles},
    },
    identity::{IdentityProofSettings, TokenProxySettings, proof::KeyRefresh},
    mount::MountSettings,
    server::endpoint::Endpoint,
    spec::cloud::{CloudChoice, CloudKeyword, CloudName},
    vault::{CacheSettings, RepublishCheck},
};

/// The operator's configuration of the provider.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address of the gRPC server.
    pub endpoint: Endpoint,
    /// The settings of mounts.
    pub mounts: MountSettings,
    /// The settings of the HTTP servers.
    pub admin: AdminSettings,
    /// True if metrics name objects (`--metrics-object-name`).
    pub object_names_in_metrics: bool,
    /// The settings of the log.
    pub log: LogSettings,
}

/// The settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The format of log lines.
    pub format: LogFormat,
    /// The least severe level that is logged.
    pub level: LevelFilter,
    /// The given klog flags that have no effect.
    pub ignored: Vec<&'static str>,
}

/// A format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The environment of the process, read once in `main`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The path in `AZURE_ENVIRONMENT_FILEPATH`.
    pub cloud_file: Option<PathBuf>,
    /// The API server's port in `KUBERNETES_SERVICE_PORT`.
    pub api_server_port: Option<u16>,
}

/// The values of the flags so far.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) endpoint: Endpoint,
    pub(super) log_format: LogFormat,
    pub(super) verbosity: i32,
    pub(super) ignored: Vec<&'static str>,
    pub(super) construct_pem_chain: bool,
    pub(super) separate_files: bool,
    pub(super) cloud: CloudKeyword,
    pub(super) token_proxy_url: Option<Url>,
    pub(super) sni_name: Option<String>,
    pub(super) identity_proofs: IdentityProofSettings,
    pub(super) user_agent: Option<String>,
    pub(super) cache: CacheSettings,
    pub(super) mount_timeout: Duration,
    pub(super) largest_volume: usize,
    pub(super) large_volume_memory: usize,
    pub(super) healthz: HealthzSettings,
    pub(super) metrics_port: u16,
    pub(super) object_names_in_metrics: bool,
    pub(super) pprof: bool,
    pub(super) pprof_port: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: Endpoint::Unix("/tmp/azure.sock".into()),
            log_format: LogFormat::Text,
            verbosity: 0,
            ignored: Vec::new(),
            construct_pem_chain: true,
            separate_files: false,
            cloud: CloudKeyword::Named(CloudName::Public),
            token_proxy_url: None,
            sni_name: None,
            identity_proofs: IdentityProofSettings {
                issuers: Vec::new(),
                max_age: Duration::from_secs(600),
                refresh: KeyRefresh::default(),
            },
            user_agent: None,
            cache: CacheSettings {
                republish_max_age: Duration::from_secs(60),
                object_cache_ttl: Duration::ZERO,
                republish_check: RepublishCheck::Get,
            },
            mount_timeout: Duration::from_secs(90),
            largest_volume: 4 << 20,
            large_volume_memory: 32 << 20,
            healthz: HealthzSettings {
                port: 8989,
                path: "/healthz".to_owned(),
                timeout: Duration::from_secs(5),
            },
            metrics_port: 8898,
            object_names_in_metrics: false,
            pprof: false,
            pprof_port: 6060,
        }
    }
}

/// The path of the cluster's CA in a pod.
const CLUSTER_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

impl Settings {
    pub(super) fn config(self, environment: Environment) -> Config {
        Config {
            endpoint: self.endpoint,
            mounts: MountSettings {
                clouds: CloudDefaults {
                    cloud: match self.cloud {
                        CloudKeyword::Named(cloud) => CloudChoice::Named(cloud),
                        CloudKeyword::Stack => CloudChoice::File(None),
                    },
                    file: environment.cloud_file,
                },
                certificates: CertificateSettings {
                    order: if self.construct_pem_chain {
                        ChainOrder::Construct
                    } else {
                        ChainOrder::AsStored
                    },
                    files: if self.separate_files { PemFiles::Separate } else { PemFiles::Together },
                },
                token_proxy: TokenProxySettings {
                    url: self.token_proxy_url,
                    server_name: self.sni_name,
                    api_server_port: environment.api_server_port.unwrap_or(443),
                    ca_file: CLUSTER_CA.into(),
                },
                identity_proofs: self.identity_proofs,
                user_agent: self.user_agent,
                cache: self.cache,
                // The other half is left for the vault.
                token_limit: self.mount_timeout / 2,
                budget: self.mount_timeout,
                largest_volume: self.largest_volume,
                large_volume_memory: self.large_volume_memory,
            },
            admin: AdminSettings {
                healthz: Some(self.healthz).filter(|healthz| healthz.port != 0),
                metrics_port: Some(self.metrics_port).filter(|port| *port != 0),
                pprof_port: Some(self.pprof_port).filter(|port| self.pprof && *port != 0),
            },
            object_names_in_metrics: self.object_names_in_metrics,
            log: LogSettings { format: self.log_format, level: level(self.verbosity), ignored: self.ignored },
        }
    }
}

/// Returns the log level for klog's verbosity: 0 and 1 log failures, start and stop; 2 to 4 also each mount; 5 and
/// more also each request.
fn level(verbosity: i32) -> LevelFilter {
    match verbosity {
        ..=1 => LevelFilter::INFO,
        2..=4 => LevelFilter::DEBUG,
        5.. => LevelFilter::TRACE,
    }
}

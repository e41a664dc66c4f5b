//! The declarations of all metrics, and their registry.

use std::sync::Mutex;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    core::Collector, process_collector::ProcessCollector,
};

use crate::{build::Build, spec::object::ObjectType};

use super::{expiry::ExpiryGauge, object_names::ObjectNames, vault_names::VaultNames};

/// Upper bounds of the histograms. Compat: from 0.1 on, the bounds that dashboards know. The smaller ones are new,
/// since a mount takes tens of milliseconds.
const BUCKETS: [f64; 19] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0, 15.0, 30.0,
];

/// Compat: the constant labels of provider-azure's histograms.
const COMMON: [(&str, &str); 3] =
    [("os_type", "linux"), ("provider", "azure"), ("service_name", "csi-secrets-store-provider-azure")];

/// The series of one provider, each with its name, its meaning and its labels.
pub(super) struct Series {
    pub(super) registry: Registry,
    /// The objects that have been read, if their names are label values.
    pub(super) read_objects: Option<Mutex<ObjectNames>>,
    pub(super) grpc_request: HistogramVec,
    pub(super) keyvault_request: HistogramVec,
    pub(super) token_requests: IntCounterVec,
    pub(super) identity_proofs: IntCounterVec,
    pub(super) issuer_keys: IntGaugeVec,
    pub(super) issuer_keys_fetched: IntGaugeVec,
    pub(super) exchanges: IntCounterVec,
    pub(super) retries: IntCounterVec,
    pub(super) throttles: IntCounterVec,
    pub(super) vault_calls: IntCounterVec,
    pub(super) vault_throttles: IntCounterVec,
    pub(super) vaults: Mutex<VaultNames>,
    pub(super) failovers: IntCounterVec,
    pub(super) failures: IntCounterVec,
    pub(super) objects_absent: IntCounterVec,
    pub(super) expiries: ExpiryGauge,
    pub(super) mounts_in_flight: IntGauge,
    pub(super) mounts_waiting: IntGauge,
    pub(super) panics: IntCounter,
}

impl Series {
    /// Registers series without samples. `object_names` fills the label `object_name`.
    pub(super) fn new(object_names: bool) -> Self {
        let histogram = |name, help, labels: &[&str]| {
            let mut options = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
            for (label, value) in COMMON {
                options = options.const_label(label, value);
            }
            HistogramVec::new(options, labels).expect("names of metrics and labels are constants")
        };
        let counter = |name, help, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels)
                .expect("names of metrics and labels are constants")
        };
        let gauge = |name, help, labels: &[&str]| {
            IntGaugeVec::new(Opts::new(name, help), labels)
                .expect("names of metrics and labels are constants")
        };
        let series = Self {
            read_objects: object_names.then(Mutex::default),
            grpc_request: histogram(
                "grpc_request",
                "Duration of the driver's calls in seconds, by method and code",
                &["grpc_method", "grpc_code"],
            ),
            keyvault_request: histogram(
                "keyvault_request",
                "Duration of reading an object or listing its versions in seconds, retries included",
                &["object_type", "object_name", "error"],
            ),
            token_requests: counter(
                "akv_token_requests_total",
                "Tokens that mounts needed, by identity mode and result",
                &["identity_mode", "result"],
            ),
            identity_proofs: counter(
                "akv_identity_proofs_total",
                "Service-account tokens that were verified with their issuer's keys, by result",
                &["result"],
            ),
            issuer_keys: gauge("akv_issuer_keys", "Keys of a service-account issuer in use", &["issuer"]),
            issuer_keys_fetched: gauge(
                "akv_issuer_keys_fetched_timestamp_seconds",
                "When the keys of a service-account issuer were fetched last, in seconds since the Unix epoch",
                &["issuer"],
            ),
            exchanges: counter(
                "akv_upstream_requests_total",
                "HTTP requests sent, by upstream, operation and status; an empty status means no answer",
                &["upstream", "operation", "status"],
            ),
            retries: counter("akv_upstream_retries_total", "HTTP requests sent again", &["upstream"]),
            throttles: counter("akv_upstream_throttled_total", "HTTP requests answered 429", &["upstream"]),
            vault_calls: counter(
                "akv_vault_calls_total",
                "Calls of a vault that mounts needed, by vault, kind and result (miss, shared, hit or unchanged)",
                &["vault", "kind", "result"],
            ),
            vault_throttles: counter(
                "akv_vault_throttled_total",
                "Requests that a vault answered with 429, by vault",
                &["vault"],
            ),
            vaults: Mutex::default(),
            failovers: counter(
                "akv_failover_total",
                "Mounts that read failoverVault in place of their own vault, by the own vault",
                &["vault"],
            ),
            failures: counter(
                "akv_failures_total",
                "Mounts that failed, by failure code (docs/codes.md)",
                &["code"],
            ),
            objects_absent: counter(
                "akv_objects_absent_total",
                "Optional objects that a mount did not find, or found disabled",
                &["object_type"],
            ),
            expiries: ExpiryGauge::new(object_names),
            mounts_in_flight: IntGauge::new("akv_mounts_in_flight", "Mounts in flight")
                .expect("names of metrics are constants"),
            mounts_waiting: IntGauge::new("akv_mounts_waiting", "Mounts waiting in the queue")
                .expect("names of metrics are constants"),
            panics: IntCounter::new("akv_panics_total", "Mounts that ended in a panic of the provider")
                .expect("names of metrics are constants"),
            registry: Registry::new(),
        };
        for object_type in [ObjectType::Secret, ObjectType::Key, ObjectType::Certificate] {
            // A rate needs the zero before the first one.
            series.objects_absent.with_label_values(&[object_type.as_str()]);
        }
        series.register();
        series
    }

    fn register(&self) {
        let build = Build::this();
        let info = IntGaugeVec::new(
            Opts::new("akv_build_info", "Version, commit and compiler of the provider; always 1"),
            &["version", "commit", "rustc"],
        )
        .expect("names of metrics and labels are constants");
        info.with_label_values(&[build.version, build.commit, build.rustc]).set(1);
        let collectors: [Box<dyn Collector>; 20] = [
            Box::new(self.grpc_request.clone()),
            Box::new(self.keyvault_request.clone()),
            Box::new(self.token_requests.clone()),
            Box::new(self.identity_proofs.clone()),
            Box::new(self.issuer_keys.clone()),
            Box::new(self.issuer_keys_fetched.clone()),
            Box::new(self.exchanges.clone()),
            Box::new(self.retries.clone()),
            Box::new(self.throttles.clone()),
            Box::new(self.vault_calls.clone()),
            Box::new(self.vault_throttles.clone()),
            Box::new(self.failovers.clone()),
            Box::new(self.failures.clone()),
            Box::new(self.objects_absent.clone()),
            Box::new(self.expiries.clone()),
            Box::new(self.mounts_in_flight.clone()),
            Box::new(self.mounts_waiting.clone()),
            Box::new(self.panics.clone()),
            Box::new(info),
            Box::new(ProcessCollector::for_self()),
        ];
        for collector in collectors {
            self.registry.register(collector).expect("every metric has a name of its own");
        }
    }
}

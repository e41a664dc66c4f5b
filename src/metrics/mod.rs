//! What is measured, one method for each event.
//!
//! Components get the metrics as an argument; there is no global registry. Durations are in seconds.

mod expiry;
mod label;
mod object_names;
mod series;
mod vault_names;

use std::{
    fmt,
    sync::{Arc, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus::{Encoder, IntGauge, TextEncoder};

use crate::{failure::FailureCode, spec::object::ObjectType};

use self::{expiry::ExpiringObject, series::Series};

pub use self::label::{ProofResult, TokenResult, Upstream, VaultCall};

use self::vault_names::VaultNames;

/// The metrics of one provider.
#[derive(Clone)]
pub struct Metrics(Arc<Series>);

impl Metrics {
    /// Creates metrics without samples. `object_names` fills the label `object_name`, which may have a thousand values.
    pub fn new(object_names: bool) -> Self {
        Self(Arc::new(Series::new(object_names)))
    }

    /// Returns the page that Prometheus scrapes, in its text format 0.0.4.
    pub fn page(&self) -> String {
        let mut page = Vec::new();
        let encoded = TextEncoder::new().encode(&self.0.registry.gather(), &mut page);
        encoded.expect("gathered metrics have names and samples, and a vector takes everything");
        String::from_utf8(page).expect("the text format is text")
    }

    /// Returns the content type of [`Self::page`].
    pub fn content_type(&self) -> String {
        TextEncoder::new().format_type().to_owned()
    }

    /// Records a call of the driver that has ended.
    pub fn call(&self, method: &str, code: &str, took: Duration) {
        self.0.grpc_request.with_label_values(&[method, code]).observe(took.as_secs_f64());
    }

    /// Records a read of an object, or a list of its versions. `error` is from the closed set of the vault's errors.
    pub fn read(&self, object_type: ObjectType, name: &str, error: Option<&'static str>, took: Duration) {
        let mut names =
            self.0.read_objects.as_ref().map(|names| names.lock().unwrap_or_else(PoisonError::into_inner));
        let name = names.as_mut().map_or("", |names| names.label(name));
        let labels = [object_type.as_str(), name, error.unwrap_or_default()];
        self.0.keyvault_request.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// Records a token request.
    pub fn token(&self, identity_mode: &'static str, result: TokenResult) {
        self.0.token_requests.with_label_values(&[identity_mode, result.as_str()]).inc();
    }

    /// Records an attempt to prove a pod's identity.
    pub fn identity_proof(&self, result: ProofResult) {
        self.0.identity_proofs.with_label_values(&[result.as_str()]).inc();
    }

    /// Records how many keys of an issuer are in use. The issuer is one of the operator's.
    pub fn issuer_keys(&self, issuer: &str, keys: usize) {
        let keys = i64::try_from(keys).unwrap_or(i64::MAX);
        self.0.issuer_keys.with_label_values(&[issuer]).set(keys);
    }

    /// Records that the keys of an issuer were fetched at the time `at`.
    pub fn issuer_keys_fetched(&self, issuer: &str, at: SystemTime) {
        let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.0.issuer_keys_fetched.with_label_values(&[issuer]).set(seconds);
    }

    /// Records a call of a vault, of a kind from a closed set.
    pub fn vault_call(&self, vault: &str, kind: &'static str, result: VaultCall) {
        let mut names = self.vault_names();
        let labels = [names.label(vault), kind, result.as_str()];
        self.0.vault_calls.with_label_values(&labels).inc();
    }

    /// Records a 429 of a vault.
    pub fn vault_throttled(&self, vault: &str) {
        let mut names = self.vault_names();
        self.0.vault_throttles.with_label_values(&[names.label(vault)]).inc();
    }

    /// Records that a vault accepted a token. It gets a label value of its own, if need be in place of a vault that
    /// did not.
    pub fn vault_authenticated(&self, vault: &str) {
        let mut names = self.vault_names();
        if let Some(replaced) = names.authenticated(vault) {
            // Under the lock, so that no call is recorded between the two steps.
            for counter in [&self.0.vault_calls, &self.0.vault_throttles, &self.0.failovers] {
                vault_names::move_to_other(counter, &replaced);
            }
        }
    }

    /// Records a mount that read another vault in place of this one.
    pub fn failover(&self, vault: &str) {
        let mut names = self.vault_names();
        self.0.failovers.with_label_values(&[names.label(vault)]).inc();
    }

    fn vault_names(&self) -> MutexGuard<'_, VaultNames> {
        self.0.vaults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a request and the status of its answer; `None` if there was no answer.
    pub fn exchange(&self, upstream: Upstream, operation: &'static str, status: Option<u16>) {
        let labels = [upstream.as_str(), operation, label::status(status)];
        self.0.exchanges.with_label_values(&labels).inc();
        if status == Some(429) {
            self.0.throttles.with_label_values(&[upstream.as_str()]).inc();
        }
    }

    /// Records a request that was sent again.
    pub fn retry(&self, upstream: Upstream) {
        self.0.retries.with_label_values(&[upstream.as_str()]).inc();
    }

    /// Counts a mount as in flight until the guard is dropped.
    pub fn mount(&self) -> MountInFlight {
        self.0.mounts_in_flight.inc();
        MountInFlight(self.0.mounts_in_flight.clone())
    }

    /// Records a failed mount.
    pub fn failure(&self, code: FailureCode) {
        self.0.failures.with_label_values(&[code.as_str()]).inc();
    }

    /// Records an optional object that the vault does not have.
    pub fn absent(&self, object_type: ObjectType) {
        self.0.objects_absent.with_label_values(&[object_type.as_str()]).inc();
    }

    /// Records the expiry of an object that was mounted, in seconds since 1970; `None` if it does not expire.
    pub fn expires(&self, vault: &str, object_type: ObjectType, name: &str, expires: Option<i64>) {
        let vault = self.vault_names().label(vault).to_owned();
        self.0.expiries.record(ExpiringObject { vault, object_type, name: name.to_owned() }, expires);
    }

    /// Records that volumes are republished: the driver's rotation is on.
    pub fn rotates(&self) {
        self.0.expiries.rotates();
    }

    /// Counts a mount as waiting in the queue until the guard is dropped.
    pub fn waiting(&self) -> MountInFlight {
        self.0.mounts_waiting.inc();
        MountInFlight(self.0.mounts_waiting.clone())
    }

    /// Records a mount that panicked.
    pub fn panic(&self) {
        self.0.panics.inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// A guard that counts one mount.
#[derive(Debug)]
pub struct MountInFlight(IntGauge);

impl Drop for MountInFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_are_told_only_where_they_are_asked_for() {
        for (wanted, shown) in [(false, "object_name=\"\""), (true, "object_name=\"db-password\"")] {
            let metrics = Metrics::new(wanted);
            metrics.read(ObjectType::Secret, "db-password", None, Duration::from_millis(20));
            let page = metrics.page();
            assert!(page.contains(shown), "{page}");
            assert_eq!(page.contains("db-password"), wanted);
        }
    }

    #[test]
    fn dashboards_find_the_names_labels_and_buckets_that_they_know() {
        let metrics = Metrics::new(false);
        metrics.call("/v1alpha1.CSIDriverProvider/Mount", "OK", Duration::from_millis(150));
        metrics.read(ObjectType::Key, "k", Some("not_found"), Duration::from_secs(7));
        let page = metrics.page();
        for line in [
            "grpc_request_bucket{grpc_code=\"OK\",grpc_method=\"/v1alpha1.CSIDriverProvider/Mount\",os_type=\"linux\",provider=\"azure\",service_name=\"csi-secrets-store-provider-azure\",le=\"0.2\"} 1",
            "keyvault_request_bucket{error=\"not_found\",object_name=\"\",object_type=\"key\",os_type=\"linux\",provider=\"azure\",service_name=\"csi-secrets-store-provider-azure\",le=\"10\"} 1",
            "akv_mounts_in_flight 0",
            "akv_panics_total 0",
        ] {
            assert!(page.contains(line), "no {line} in {page}");
        }
        assert!(
            page.contains("process_open_fds") && page.contains("process_resident_memory_bytes"),
            "{page}"
        );
        assert!(page.contains("process_cpu_seconds_total") && page.contains("akv_build_info{"), "{page}");
    }

    #[test]
    fn vaults_beyond_a_hundred_share_a_label() {
        let metrics = Metrics::new(false);
        for vault in 0..300 {
            metrics.vault_call(&format!("vault-{vault}.vault.azure.net"), "secret", VaultCall::Miss);
        }
        let page = metrics.page();
        let series = page.lines().filter(|line| line.starts_with("akv_vault_calls_total{")).count();
        assert_eq!(series, 101);
        assert!(
            page.contains("akv_vault_calls_total{kind=\"secret\",result=\"miss\",vault=\"other\"} 200"),
            "{page}"
        );
    }

    #[test]
    fn objects_beyond_a_thousand_share_a_label() {
        let metrics = Metrics::new(true);
        for object in 0..3_000 {
            metrics.read(ObjectType::Secret, &format!("invented-{object}"), None, Duration::from_millis(20));
        }
        metrics.read(ObjectType::Secret, "invented-0", None, Duration::from_millis(20));
        let page = metrics.page();
        let counts: Vec<_> =
            page.lines().filter(|line| line.starts_with("keyvault_request_count{")).collect();
        assert_eq!(counts.len(), 1_001);
        let count =
            |name| counts.iter().find(|line| line.contains(name)).unwrap().rsplit(' ').next().unwrap();
        assert_eq!((count(r#"object_name="other""#), count(r#"object_name="invented-0""#)), ("2000", "2"));
    }

    #[test]
    fn a_vault_that_answers_with_every_status_makes_few_series() {
        let metrics = Metrics::new(false);
        (0..=1_000).for_each(|status| metrics.exchange(Upstream::KeyVault, "get_secret", Some(status)));
        let page = metrics.page();
        let series = page.lines().filter(|line| line.starts_with("akv_upstream_requests_total{")).count();
        assert_eq!(series, 15 + 5, "{page}");
        for (status, count) in [("404", 1), ("2xx", 99), ("4xx", 90), ("5xx", 96), ("other", 601)] {
            let counted = format!("status=\"{status}\",upstream=\"keyvault\"}} {count}\n");
            assert!(page.contains(&counted), "no {counted} in {page}");
        }
    }

    fn expiries(metrics: &Metrics) -> Vec<String> {
        let is_expiry = |line: &&str| line.starts_with("akv_object_expires_timestamp_seconds{");
        metrics.page().lines().filter(is_expiry).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn the_earliest_expiry_of_a_vault_and_a_type_is_told() {
        let metrics = Metrics::new(false);
        for (vault, kind, name, expires) in [
            ("lab", ObjectType::Secret, "a", Some(300)),
            ("lab", ObjectType::Secret, "b", Some(200)),
            ("lab", ObjectType::Secret, "c", None),
            ("lab", ObjectType::Certificate, "b", Some(100)),
            ("other", ObjectType::Secret, "b", Some(50)),
        ] {
            metrics.expires(vault, kind, name, expires);
        }
        let line = |kind, vault, expires| {
            format!(
                "akv_object_expires_timestamp_seconds{{object_type=\"{kind}\",vault=\"{vault}\"}} {expires}"
            )
        };
        let all = [line("cert", "lab", 100), line("secret", "lab", 200), line("secret", "other", 50)];
        assert_eq!(expiries(&metrics), all);
        metrics.expires("lab", ObjectType::Secret, "b", Some(400));
        metrics.expires("other", ObjectType::Secret, "b", None);
        assert_eq!(expiries(&metrics), [line("cert", "lab", 100), line("secret", "lab", 300)]);
    }

    #[test]
    fn expiries_by_name_are_bounded_and_keep_the_earliest() {
        let metrics = Metrics::new(true);
        for index in (0..3_000).rev() {
            metrics.expires("lab", ObjectType::Secret, &format!("s{index}"), Some(index));
        }
        let lines = expiries(&metrics);
        assert_eq!(lines.len(), 1_000);
        let first =
            "akv_object_expires_timestamp_seconds{object_name=\"s0\",object_type=\"secret\",vault=\"lab\"} 0";
        assert!(lines.iter().any(|line| line == first), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains("\"s1000\"")));
    }

    #[test]
    fn vault_names_of_a_pod_author_do_not_take_the_labels_of_vaults_that_are_read() {
        let metrics = Metrics::new(false);
        for vault in 0..300 {
            metrics.vault_call(&format!("invented-{vault}"), "challenge", VaultCall::Miss);
            metrics.vault_throttled(&format!("invented-{vault}"));
        }
        metrics.vault_authenticated("lab");
        metrics.vault_call("lab", "secret", VaultCall::Miss);
        let page = metrics.page();
        for line in [
            r#"akv_vault_calls_total{kind="secret",result="miss",vault="lab"} 1"#,
            // The name that made room is counted here.
            r#"akv_vault_calls_total{kind="challenge",result="miss",vault="other"} 201"#,
            r#"akv_vault_throttled_total{vault="other"} 201"#,
        ] {
            assert!(page.contains(line), "no {line} in {page}");
        }
        let named = page.lines().filter(|line| line.contains(r#"total{vault="invented-"#)).count();
        assert_eq!(named, 99);
    }

    #[test]
    fn a_mount_is_in_flight_until_it_ends() {
        let metrics = Metrics::new(false);
        let mount = metrics.mount();
        assert!(metrics.page().contains("akv_mounts_in_flight 1"));
        drop(mount);
        assert!(metrics.page().contains("akv_mounts_in_flight 0"));
    }
}

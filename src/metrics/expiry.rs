//! The gauge of expiring objects: of each group of labels, the earliest expiry that the provider served.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prometheus::{
    IntGaugeVec, Opts,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tokio::time::Instant;

use crate::spec::object::ObjectType;

/// The most objects whose expiry is known. Beyond them, those that expire last are forgotten.
const MAX_OBJECTS: usize = 1_000;

/// How long an expiry counts after the object was mounted, where pods are republished. One that has gone would otherwise
/// keep that of an object which was renewed since. A pod that is never republished has the object until it ends.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A gauge of expiries. Clones share it.
#[derive(Clone)]
pub(super) struct ExpiryGauge(Arc<Inner>);

struct Inner {
    by_name: bool,
    gauge: IntGaugeVec,
    objects: Mutex<HashMap<ExpiringObject, Expiry>>,
    /// True once a volume was republished.
    rotates: AtomicBool,
}

/// The expiry of an object, as it was mounted last.
#[derive(Clone, Copy)]
struct Expiry {
    /// In seconds since 1970.
    at: i64,
    mounted: Instant,
}

/// An object with an expiry.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ExpiringObject {
    /// The vault's label value.
    pub(super) vault: String,
    pub(super) object_type: ObjectType,
    pub(super) name: String,
}

impl ExpiryGauge {
    /// Creates a gauge without objects. `by_name` gives each object a series of its own.
    pub(super) fn new(by_name: bool) -> Self {
        let options = Opts::new(
            "akv_object_expires_timestamp_seconds",
            "The earliest expiry of the objects that were mounted, by vault and type, in seconds since 1970",
        );
        let labels: &[&str] =
            if by_name { &["vault", "object_type", "object_name"] } else { &["vault", "object_type"] };
        let gauge = IntGaugeVec::new(options, labels).expect("names of metrics and labels are constants");
        Self(Arc::new(Inner { by_name, gauge, objects: Mutex::default(), rotates: AtomicBool::new(false) }))
    }

    /// Records that volumes are republished.
    pub(super) fn rotates(&self) {
        self.0.rotates.store(true, Ordering::Relaxed);
    }

    /// Records the expiry of an object that was mounted; `None` if it does not expire.
    pub(super) fn record(&self, object: ExpiringObject, expires: Option<i64>) {
        let mut objects = self.0.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(expires) = expires else {
            objects.remove(&object);
            return;
        };
        if objects.len() >= MAX_OBJECTS && !objects.contains_key(&object) {
            // What expires first matters most.
            let last = objects.iter().max_by_key(|(_, expiry)| expiry.at);
            match last.map(|(object, expiry)| (object.clone(), expiry.at)) {
                Some((last, latest)) if latest > expires => objects.remove(&last),
                _ => return,
            };
        }
        objects.insert(object, Expiry { at: expires, mounted: Instant::now() });
    }
}

impl Collector for ExpiryGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.0.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Inner { by_name, gauge, objects, rotates } = &*self.0;
        // Held until the end, so that a concurrent scrape sees whole values.
        let mut objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
        if rotates.load(Ordering::Relaxed) {
            objects.retain(|_, expiry| expiry.mounted.elapsed() < MAX_AGE);
        }
        let mut earliest: HashMap<(&str, ObjectType, &str), i64> = HashMap::new();
        for (object, Expiry { at: expires, .. }) in objects.iter() {
            let name = if *by_name { object.name.as_str() } else { "" };
            let known = earliest.entry((&object.vault, object.object_type, name)).or_insert(*expires);
            *known = (*known).min(*expires);
        }
        gauge.reset();
        for ((vault, object_type, name), expires) in earliest {
            let labels = [vault, object_type.as_str(), name];
            let labels = if *by_name { &labels[..] } else { &labels[..2] };
            gauge.with_label_values(labels).set(expires);
        }
        gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> ExpiringObject {
        let (vault, object_type) = ("lab".to_owned(), ObjectType::Certificate);
        ExpiringObject { vault, object_type, name: name.to_owned() }
    }

    fn values(gauge: &ExpiryGauge) -> Vec<f64> {
        let families = gauge.collect();
        families[0].get_metric().iter().map(|metric| metric.get_gauge().get_value()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_that_no_pod_mounts_any_more_is_forgotten_after_a_day() {
        let gauge = ExpiryGauge::new(false);
        gauge.record(certificate("moved"), Some(1_000));
        tokio::time::advance(2 * MAX_AGE).await;
        assert_eq!(values(&gauge), [1_000.0], "without rotation its pod has it until it ends");
        gauge.record(certificate("moved"), Some(1_000));
        gauge.rotates();
        gauge.record(certificate("mounted"), Some(2_000));
        tokio::time::advance(MAX_AGE / 2).await;
        gauge.record(certificate("mounted"), Some(2_000));
        assert_eq!(values(&gauge), [1_000.0]);
        tokio::time::advance(MAX_AGE / 2).await;
        assert_eq!(values(&gauge), [2_000.0]);
        tokio::time::advance(MAX_AGE).await;
        assert!(values(&gauge).is_empty());
    }
}

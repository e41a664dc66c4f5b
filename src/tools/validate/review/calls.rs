//! The calls that pods make, against what a vault allows.

use std::time::Duration;

use crate::{cli, spec::MountSpec, tools::class::Class};

use super::{Finding, Rule};

/// The pods of a class, and how often the driver asks for each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    pods: u32,
    interval: Duration,
}

impl Load {
    /// Returns the load, if a number of pods is given.
    ///
    /// # Errors
    /// The interval is not a duration, or is zero.
    pub(crate) fn parse(pods: Option<u32>, interval: &str) -> Result<Option<Self>, String> {
        let interval = cli::duration(interval)?;
        if interval.is_zero() {
            return Err("must not be zero".to_owned());
        }
        Ok(pods.map(|pods| Self { pods, interval }))
    }
}

/// Requests in ten seconds that Key Vault allows for secrets in one vault and region
/// (<https://learn.microsoft.com/azure/key-vault/general/service-limits>).
const ALLOWED: f64 = 4_000.0;

pub(super) fn review(class: &Class, spec: &MountSpec, load: Load, findings: &mut Vec<Finding>) {
    // A find reads an unknown number of objects, and lists one page at least.
    let reads = spec.objects.len() + spec.finds.len();
    let in_ten_seconds = f64::from(load.pods) * reads as f64 * 10.0 / load.interval.as_secs_f64();
    if in_ten_seconds <= ALLOWED {
        return;
    }
    let message = format!(
        "{} pods that read {reads} objects every {:?} make up to {in_ten_seconds:.0} requests in 10 s, and a vault allows \
         {ALLOWED:.0}; raise the interval, or spread the objects over several vaults",
        load.pods, load.interval
    );
    let offset = class.parameters().iter().find(|(key, _)| key.scalar() == Some("objects"));
    let offset = offset.map_or(class.node.span.start, |(key, _)| key.span.start);
    findings.push(Finding::about(class, Rule::TooManyCalls, offset, "objects", message));
}

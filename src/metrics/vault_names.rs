//! The vault names that are label values. Names come from SecretProviderClasses, so their number has a bound.

use std::collections::HashMap;

use prometheus::{IntCounterVec, core::Collector, proto::MetricFamily};

/// The most vaults with a label value of their own.
const MAX_NAMES: usize = 100;

/// The label value that all other vaults share.
const OTHER: &str = "other";

/// The name of the label.
const LABEL: &str = "vault";

/// A set of the vault names that are label values, in order of arrival. A vault that accepted a token replaces one that
/// did not, so a pod author cannot take all names by naming vaults.
#[derive(Debug, Default)]
pub(super) struct VaultNames(HashMap<String, Standing>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// The vault accepted a token, and keeps its name.
    Authenticated,
    /// The vault keeps its name until another one needs it.
    Named,
}

impl VaultNames {
    /// Returns the label value of a vault.
    pub(super) fn label<'a>(&mut self, vault: &'a str) -> &'a str {
        if self.0.contains_key(vault) {
            return vault;
        }
        if self.0.len() == MAX_NAMES {
            return OTHER;
        }
        self.0.insert(vault.to_owned(), Standing::Named);
        vault
    }

    /// Gives a name to a vault that accepted a token. Returns the vault that lost its name, if there was no other room.
    pub(super) fn authenticated(&mut self, vault: &str) -> Option<String> {
        if let Some(standing) = self.0.get_mut(vault) {
            *standing = Standing::Authenticated;
            return None;
        }
        let mut replaced = None;
        if self.0.len() == MAX_NAMES {
            let named = self.0.iter().find(|(_, standing)| **standing == Standing::Named);
            // If all vaults accepted a token, the first hundred keep their names.
            let named = named?.0.clone();
            self.0.remove(&named);
            replaced = Some(named);
        }
        self.0.insert(vault.to_owned(), Standing::Authenticated);
        replaced
    }
}

/// Adds the counts of a vault to those of [`OTHER`], and removes its series. The sum over all vaults stays.
pub(super) fn move_to_other(counters: &IntCounterVec, vault: &str) {
    let families = counters.collect();
    for metric in families.iter().flat_map(MetricFamily::get_metric) {
        let labels: HashMap<&str, &str> =
            metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
        if labels.get(LABEL) == Some(&vault) {
            let mut others = labels.clone();
            others.insert(LABEL, OTHER);
            counters.with(&others).inc_by(metric.get_counter().get_value() as u64);
            let _ = counters.remove(&labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_that_accepted_a_token_replaces_one_that_did_not() {
        let mut names = VaultNames::default();
        assert_eq!(names.authenticated("first"), None);
        for number in 1..MAX_NAMES {
            assert_ne!(names.label(&format!("invented-{number}")), OTHER);
        }
        assert_eq!(names.label("late"), OTHER);
        let replaced = names.authenticated("late").unwrap();
        assert!(replaced.starts_with("invented-"), "{replaced}");
        assert_eq!((names.label("late"), names.label("first")), ("late", "first"));
        assert_eq!(names.label(&replaced), OTHER);
    }

    #[test]
    fn of_vaults_that_accepted_a_token_the_first_hundred_are_named() {
        let mut names = VaultNames::default();
        for number in 0..MAX_NAMES {
            // Named first, as a vault is that gets its first request.
            names.label(&number.to_string());
            assert_eq!(names.authenticated(&number.to_string()), None);
        }
        assert_eq!(names.authenticated("late"), None);
        assert_eq!((names.label("late"), names.label("99")), (OTHER, "99"));
    }
}

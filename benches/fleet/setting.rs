//! The settings that are compared.

use std::time::Duration;

use akv_provider::vault::{CacheSettings, RepublishCheck, page_budget};

use super::node::{Load, node};

/// A setting of the provider, or of provider-azure.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// The cache; `None` for one challenge and one read for each object of each volume.
    cache: Option<(Age, RepublishCheck)>,
    /// The secrets in the vault.
    secrets: usize,
}

/// The maximum age of values, in seconds.
struct Age {
    republish: u64,
    ttl: u64,
}

const MINUTE: Age = Age { republish: 60, ttl: 0 };

pub(crate) const SETTINGS: [Setting; 7] = [
    Setting {
        name: "one challenge and one read for each object, as provider-azure",
        cache: None,
        secrets: 25,
    },
    Setting {
        name: "the challenge learned once (`--republish-max-age=0`)",
        cache: Some((Age { republish: 0, ttl: 0 }, RepublishCheck::Get)),
        secrets: 25,
    },
    Setting {
        name: "values a minute old for volumes that come again (the default)",
        cache: Some((MINUTE, RepublishCheck::Get)),
        secrets: 25,
    },
    Setting {
        name: "values five minutes old (`--object-cache-ttl=5m`)",
        cache: Some((Age { republish: 60, ttl: 300 }, RepublishCheck::Get)),
        secrets: 25,
    },
    Setting {
        name: "`--republish-check=list`, a vault of 25 secrets",
        cache: Some((MINUTE, RepublishCheck::List)),
        secrets: 25,
    },
    Setting {
        name: "`--republish-check=list`, a vault of 100 secrets",
        cache: Some((MINUTE, RepublishCheck::List)),
        secrets: 100,
    },
    Setting {
        name: "`--republish-check=list`, a vault of 250 secrets",
        cache: Some((MINUTE, RepublishCheck::List)),
        secrets: 250,
    },
];

impl Setting {
    /// Returns the requests in a second of this many nodes.
    pub(crate) fn requests(&self, load: &Load, nodes: u64) -> f64 {
        let Some((Age { republish, ttl }, republish_check)) = &self.cache else {
            return self.formula(load, nodes);
        };
        let settings = CacheSettings {
            republish_max_age: Duration::from_secs(*republish),
            object_cache_ttl: Duration::from_secs(*ttl),
            republish_check: *republish_check,
        };
        let requests: u64 = (0..nodes).map(|seed| node(load, settings, self.secrets, seed)).sum();
        requests as f64 / load.watched.as_secs_f64()
    }

    /// Returns the expected requests in a second. A node has `n` volumes of one identity. One of them asks the vault, and
    /// the next request comes with the first republish after the maximum age, which is on average `rotation / n` later.
    pub(crate) fn formula(&self, load: &Load, nodes: u64) -> f64 {
        let (nodes, pods, objects) = (nodes as f64, load.pods as f64, load.objects as f64);
        let rotation = load.rotation.as_secs_f64();
        let Some((age, check)) = &self.cache else { return nodes * pods * (objects + 1.0) / rotation };
        let pages = self.secrets.div_ceil(25);
        let requests = match check {
            RepublishCheck::List if pages <= page_budget(load.objects) => pages as f64 + 1.0,
            RepublishCheck::List | RepublishCheck::Get => objects,
        };
        let between = age.republish.max(age.ttl) as f64 + rotation * load.identities as f64 / pods;
        nodes * load.identities as f64 * requests / between
    }
}

//! The expiry of what a mount served, for a warning and a metric.

use azure_core::time::OffsetDateTime;

use crate::spec::object::{ObjectSpec, ObjectType};

use super::{
    fetch::{Fetched, Versions},
    vaults::MountVaults,
    versions,
};

/// What a mount served, by its times.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Validity {
    /// Served objects that are not valid at this time: `secret/db-password`.
    pub outside: Vec<String>,
    /// The expiry of each served object, in the user's order; a history has none.
    pub expiries: Vec<Expiry>,
}

/// The expiry of one served object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// The vault's host and port.
    pub vault: String,
    /// The object's type.
    pub object_type: ObjectType,
    /// The object's name.
    pub name: String,
    /// Seconds since 1970; `None` if the version does not expire.
    pub expires: Option<i64>,
}

/// Returns the validity of `objects`, which are in `vaults`, at `now`. An object that was not read has none. Nor has a
/// history, whose older versions are expected to have expired.
pub(super) fn of(
    vaults: &MountVaults,
    objects: &[ObjectSpec],
    fetched: &[Fetched],
    now: OffsetDateTime,
) -> Validity {
    let mut validity = Validity::default();
    for (object, fetched) in objects.iter().zip(fetched) {
        let Ok(Versions::Single(read)) = fetched else { continue };
        let Ok(bundle) = &read.bundle else { continue };
        let lifecycle = &bundle.properties().lifecycle;
        if !versions::is_valid(lifecycle.not_before, lifecycle.expires, now) {
            validity.outside.push(object.to_string());
        }
        validity.expiries.push(Expiry {
            vault: vaults.of_object(object).endpoint.name().to_owned(),
            object_type: object.object_type(),
            name: object.name.to_string(),
            expires: lifecycle.expires.map(OffsetDateTime::unix_timestamp),
        });
    }
    validity
}

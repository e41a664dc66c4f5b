//! What a reviewer would look for in a class that the provider takes.

mod calls;
mod entries;
mod parameters;
mod synced_secrets;

pub(crate) use self::calls::Load;

use crate::{spec::MountSpec, tools::class::Class};

use super::{
    finding::{Finding, Rule},
    locate::Locator,
};

/// Adds what stands out in the text of a class, whether or not the provider takes it.
pub(crate) fn text(class: &Class, locator: &Locator<'_>, findings: &mut Vec<Finding>) {
    parameters::review(class, findings);
    entries::review(class, locator, findings);
}

/// Adds what stands out in a class that the provider takes.
pub(crate) fn spec(class: &Class, spec: &MountSpec, load: Option<Load>, findings: &mut Vec<Finding>) {
    synced_secrets::review(class, spec, findings);
    if let Some(load) = load {
        calls::review(class, spec, load, findings);
    }
}

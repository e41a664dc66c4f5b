//! What a reviewer would look for in a class that the provider takes.

mod calls;
mod entries;
mod parameters;
mod synced_secrets;

pub(crate) use self::calls::Load;

use crate::{
    spec::MountSpec,
    tools::class::{Class, source::Source},
};

use super::finding::{Finding, Rule};

/// Adds what stands out in the text of a class, whether or not the provider takes it.
pub(crate) fn text(class: &Class, source: &Source, findings: &mut Vec<Finding>) {
    parameters::review(class, findings);
    entries::review(class, source, findings);
}

/// Adds what stands out in a class that the provider takes.
pub(crate) fn spec(class: &Class, spec: &MountSpec, load: Option<Load>, findings: &mut Vec<Finding>) {
    synced_secrets::review(class, spec, findings);
    if let Some(load) = load {
        calls::review(class, spec, load, findings);
    }
}

fn finding(
    rule: Rule,
    class: &Class,
    offset: usize,
    path: impl Into<String>,
    message: impl Into<String>,
) -> Finding {
    Finding {
        rule,
        offset,
        class: class.name().map(str::to_owned),
        path: path.into(),
        message: message.into(),
    }
}

/// Returns the name that is most similar to an unknown one, if any is.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > LIKENESS)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

/// The least likeness of a misspelling to what was meant.
const LIKENESS: f64 = 0.85;

//! Parameters that have no effect, or one that their author may not expect.

use crate::{parameters::PARAMETERS, spec::misspelling::nearest, tools::class::Class};

use super::{Finding, Rule};

pub(super) fn review(class: &Class, findings: &mut Vec<Finding>) {
    for (key, value) in class.parameters() {
        let Some(name) = key.scalar() else { continue };
        let offset = key.span.start;
        if !PARAMETERS.contains(&name) {
            let known = PARAMETERS.iter().copied().filter(|known| !known.contains('/'));
            let message = match nearest(name, known) {
                Some(known) => format!("is unknown, and has no effect; did you mean {known}?"),
                None => "is unknown, and has no effect".to_owned(),
            };
            findings.push(Finding::about(class, Rule::UnknownParameter, offset, name, message));
        }
        let is_on = value.scalar().is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
        if name == "usePodIdentity" && is_on {
            let message = "Azure has retired AAD pod identity; use workload identity instead";
            findings.push(Finding::about(class, Rule::DeprecatedIdentity, offset, name, message));
        }
        if name == "tenantId" && class.parameters().iter().any(|(key, _)| key.scalar() == Some("tenantID")) {
            let message = "has no effect, since tenantID is set as well; remove one of them";
            findings.push(Finding::about(class, Rule::HiddenParameter, offset, name, message));
        }
    }
}

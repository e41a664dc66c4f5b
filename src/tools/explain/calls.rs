//! How many requests a class makes.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    time::Duration,
};

use crate::{
    mount::MAX_FOUND,
    spec::{
        MountSpec,
        object::{ObjectSpec, VersionSelector},
    },
};

const SECONDS_OF_DAY: f64 = 86_400.0;

/// Returns the versions that an entry reads.
pub(super) fn versions(object: &ObjectSpec) -> String {
    match &object.versions {
        VersionSelector::Newest => "the newest version".to_owned(),
        VersionSelector::Pinned(version) => format!("version {version}"),
        VersionSelector::Chosen(_) => "the newest version that fits".to_owned(),
        // Compat: one version more than the number says.
        VersionSelector::History { depth, .. } => format!("up to {} versions", depth.saturating_add(1)),
    }
}

/// Returns the most requests to the vault for one mount that nothing saves. Pages of lists count one each.
fn reads(spec: &MountSpec) -> usize {
    let of_versions = |object: &ObjectSpec| match &object.versions {
        VersionSelector::Newest | VersionSelector::Pinned(_) => 1,
        // The newest, a page of versions where it does not fit, and the one that fits.
        VersionSelector::Chosen(_) => 3,
        VersionSelector::History { depth, .. } => 1 + depth.saturating_add(1),
    };
    let of_object = |object| of_versions(object).saturating_add(passwords(object));
    spec.objects.iter().map(of_object).fold(0, usize::saturating_add)
}

/// Returns the number of password objects that an entry names.
pub(super) fn passwords(object: &ObjectSpec) -> usize {
    object.password_objects().collect::<BTreeSet<_>>().len()
}

pub(super) fn write(spec: &MountSpec, pods: u32, interval: Duration, out: &mut dyn Write) -> io::Result<()> {
    let reads = reads(spec);
    // How many objects a find chooses is known only to the vault.
    let named = if spec.finds.is_empty() { "" } else { " for named objects" };
    writeln!(out, "  a new pod: at most {reads} requests to Key Vault{named}, and one for a token")?;
    if !spec.finds.is_empty() {
        writeln!(
            out,
            "  each find adds a request for each 25 objects that its vault lists, which finds share,"
        )?;
        writeln!(out, "  and one for each object found: at most {MAX_FOUND} of the class")?;
    }
    let a_day = reads as f64 * f64::from(pods) * SECONDS_OF_DAY / interval.as_secs_f64();
    let pods = if pods == 1 { "one pod".to_owned() } else { format!("{pods} pods") };
    writeln!(
        out,
        "  rotation of {pods} every {interval:?}: at most {a_day:.0} requests a day{named}; pods of one identity on a node share them"
    )
}

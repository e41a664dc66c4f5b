//! The text of a failed mount.
//!
//! Kubernetes shows the first line of an event, and counts events whose texts are equal. A message is therefore one
//! line of at most [`MAX_MESSAGE_BYTES`], and equal for each try of the same failure. Its order is: the code, the
//! objects, the cause, the action, the identity, and Azure's own words. Everything that differs from try to try goes
//! into the log alone.

mod line;
mod objects;

use std::{
    fmt::{self, Formatter},
    time::Duration,
};

use crate::{
    failure::FailureCode,
    identity::{IdentityError, TokenRequestInfo},
    report::Report,
    spec::{misspelling::Misspelling, vault::VaultName},
    text::{MAX_LOG_BYTES, MAX_MESSAGE_BYTES},
    vault::{TenantError, VaultErrorResponse},
};

use super::{
    error::{MountError, MountQueue},
    listed::{Names, listed},
    remediation::{self, About},
};

use self::{
    line::Line,
    objects::{Objects, answer},
};

/// Azure request ids that the log shows for one mount.
const MAX_REQUEST_IDS: usize = 5;

/// The log fields of a failed mount: everything that may differ between two tries.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LogDetails {
    /// The text of at most [`MAX_LOG_BYTES`], if the message omits a part of it.
    pub all: Option<String>,
    /// Ids that Azure's support asks for, separated by commas; may be empty.
    pub request_ids: String,
    /// Measurements at the time of the failure; may be empty.
    pub seen: String,
}

impl std::error::Error for MountError {}

impl fmt::Display for MountError {
    /// Writes the text for the log, without the code.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(None, Line::of_log(String::new(), MAX_LOG_BYTES)).text)
    }
}

impl MountError {
    /// Returns the message for the driver: one line, equal for each try.
    pub fn message(&self, code: FailureCode) -> String {
        self.line(Some(code), Line::new(format!("[{code}] "), MAX_MESSAGE_BYTES)).text
    }

    /// Returns the log fields that accompany the message.
    pub fn log_details(&self, code: FailureCode) -> LogDetails {
        let brief = self.line(Some(code), Line::new(format!("[{code}] "), MAX_MESSAGE_BYTES));
        let full = || self.line(Some(code), Line::of_log(format!("[{code}] "), MAX_LOG_BYTES)).text;
        let all = brief.is_cut.then(full);
        let (mut ids, mut seen) = (Vec::new(), String::new());
        match self {
            Self::Identity { error, .. } => {
                ids.extend(error.answer().map(|answer| answer.trace().to_owned()))
            }
            Self::Objects { failures, .. } => {
                let all = failures.iter().filter_map(answer).filter_map(VaultErrorResponse::request_id);
                ids.extend(all.take(MAX_REQUEST_IDS).map(ToOwned::to_owned));
            }
            Self::Timeout { waiting, spent, .. } => {
                seen = waiting.details();
                seen.push_str(&format!("; this took {:.1} s", spent.as_secs_f32()));
            }
            Self::TooLarge { size, .. } => seen = format!("about {size} bytes were read"),
            Self::Cloud(_) | Self::Tenant { .. } | Self::Connect { .. } | Self::QueueTimeout { .. } => {}
        }
        LogDetails { all, request_ids: ids.join(", "), seen }
    }

    fn line(&self, code: Option<FailureCode>, line: Line) -> Line {
        match self {
            Self::Cloud(error) => line.head(&Report(error).to_string()),
            Self::Tenant { wanted, vault, error, misspellings } => {
                tenant(line, self.code(|_| 0), wanted, vault, error, misspellings)
            }
            Self::Identity { wanted, vault, error, misspellings } => {
                identity(line, wanted, vault, error, misspellings)
            }
            Self::Connect { vault, error } => {
                line.head(&format!("cannot connect to vault {vault}: {}", Report(error)))
            }
            Self::Objects { vault, caller, failures } => Objects { vault, caller, failures }.line(code, line),
            Self::TooLarge { limit, largest, .. } => line
                .head(&format!(
                    "the volume is larger than {limit} bytes, the driver's limit; mount fewer objects in one volume, or \
                     raise --max-call-recv-msg-size of the driver and of the provider"
                ))
                .detail(&largest.as_ref().map(|largest| format!("the largest files are {largest}")).unwrap_or_default()),
            Self::QueueTimeout { vault, budget, queue: MountQueue::Permits } => line.head(&format!(
                "timed out {budget} in the mount queue: vault {vault}, or the node, is at its limit of mounts; kubelet \
                 tries again, and the log says what kept the mounts before it"
            )),
            Self::QueueTimeout { budget, queue: MountQueue::LargeClasses, .. } => line.head(&format!(
                "timed out {budget} while waiting for memory that other large SecretProviderClasses use, those of the \
                 pod's namespace above all; kubelet tries again, and the log says what kept the mounts before it"
            )),
            Self::Timeout { wanted, vault, budget, waiting, .. } => {
                let action = remediation::of(waiting.code(), &About::default());
                let cause = format!("timed out {budget} while {waiting}");
                line.head(&format!("{}{}", cannot_read(wanted, vault), because(&cause, &action)))
                    .detail(&waiting.asked())
            }
        }
    }
}

/// The time limit of a mount, as messages name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// `--mount-timeout`.
    Configured(Duration),
    /// The driver's deadline, if it is earlier. It is measured and differs from try to try, so messages give no number.
    Caller,
    /// The part of the time that a vault gets before another one is read in its place.
    Share,
}

impl fmt::Display for Budget {
    /// Writes `after 90s`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured(limit) => write!(f, "after {}s", limit.as_secs_f32()),
            Self::Caller => f.write_str("at the caller's deadline"),
            Self::Share => f.write_str("after its share of the time"),
        }
    }
}

/// Writes the line of a mount whose tenant is not known.
fn tenant(
    line: Line,
    code: FailureCode,
    wanted: &[String],
    vault: &VaultName,
    error: &TenantError,
    misspellings: &[Misspelling],
) -> Line {
    let action = remediation::of(code, &About { vault: Some(vault), ..About::default() });
    let action = with_misspellings(action, misspellings);
    let cause = format!("tenantID is not set, and {}", Report(error));
    line.head(&format!("{}{}", cannot_read(wanted, vault), because(&cause, &action)))
}

/// Writes the line of a mount that got no token.
fn identity(
    line: Line,
    wanted: &[String],
    vault: &VaultName,
    error: &IdentityError,
    misspellings: &[Misspelling],
) -> Line {
    let asked = error.asked();
    let about = About {
        vault: Some(vault),
        identity: &asked.identity,
        client: asked.client.as_deref(),
        source: Some(&asked.source),
        presented: asked.presented.as_ref(),
        ..About::default()
    };
    let action = with_misspellings(remediation::of(error.code(), &about), misspellings);
    let head = format!("{}{}", cannot_read(wanted, vault), because(&Report(error).to_string(), &action));
    let TokenRequestInfo { identity, source, .. } = asked;
    let words = error.answer().map_or("", |answer| answer.words());
    line.head(&head).detail(&format!("asked {source} as {identity}")).words("the answer was", words)
}

/// Returns the beginning of a message about a mount that read no object.
fn cannot_read(wanted: &[String], vault: &VaultName) -> String {
    let names = listed(wanted.iter().map(String::as_str), Names::First);
    format!("cannot read {names} from vault {vault}: ")
}

fn because(cause: &str, action: &str) -> String {
    if action.is_empty() { cause.to_owned() } else { format!("{cause}; {action}") }
}

fn with_misspellings(remediation: String, misspellings: &[Misspelling]) -> String {
    let sentences = misspellings.iter().map(ToString::to_string);
    let all: Vec<String> =
        [remediation].into_iter().filter(|text| !text.is_empty()).chain(sentences).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests;

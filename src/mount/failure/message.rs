//! The text of a failed mount.
//!
//! Kubernetes shows the first line of an event, and counts events whose texts are equal. A message is therefore one
//! line of at most [`MAX_MESSAGE_BYTES`], and equal for each try of the same failure. Its order is: the code, the
//! objects, the cause, the action, the identity, and Azure's own words. Everything that differs from try to try goes
//! into the log alone.

use std::{
    fmt::{self, Formatter},
    time::Duration,
};

use crate::{
    failure::FailureCode,
    identity::{IdentityError, TokenRequestInfo},
    report::Report,
    spec::{misspelling::Misspelling, vault::VaultName},
    text::MAX_MESSAGE_BYTES,
    vault::{TenantError, VaultError, VaultErrorResponse},
};

use super::{
    error::{AskedVault, Caller, MountError, ObjectError, ObjectFailure},
    listed::{Names, listed},
    remediation::{self, About, Access},
};

/// Azure request ids that the log shows for one mount.
const MAX_REQUEST_IDS: usize = 5;

/// The shortest excerpt of Azure's words that is worth showing, in bytes.
const MIN_WORDS_BYTES: usize = 60;

/// The reserve for the count of omitted objects, in bytes.
const LEFT_OUT_BYTES: usize = 48;

/// The log fields of a failed mount: everything that may differ between two tries.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LogDetails {
    /// The full text, if the message omits a part of it.
    pub all: Option<String>,
    /// Ids that Azure's support asks for, separated by commas; may be empty.
    pub request_ids: String,
    /// Measurements at the time of the failure; may be empty.
    pub seen: String,
}

impl std::error::Error for MountError {}

impl fmt::Display for MountError {
    /// Writes the full text, without the code.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(None, Line::new(String::new(), usize::MAX)).text)
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
        let all =
            brief.is_cut.then(|| self.line(Some(code), Line::new(format!("[{code}] "), usize::MAX)).text);
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
            Self::QueueTimeout { vault, budget } => line.head(&format!(
                "timed out {budget} in the mount queue: vault {vault}, or the node, is at its limit of mounts; kubelet \
                 tries again, and the log says what kept the mounts before it"
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

/// A single line of at most `room` bytes.
struct Line {
    text: String,
    room: usize,
    is_cut: bool,
}

impl Line {
    fn new(text: String, room: usize) -> Self {
        Self { text, room, is_cut: false }
    }

    fn is_full_text(&self) -> bool {
        self.room == usize::MAX
    }

    /// Appends the beginning of a message, truncated if it alone is too long.
    fn head(mut self, text: &str) -> Self {
        self.text.push_str(text);
        if self.text.len() > self.room {
            self.text.truncate(self.text.floor_char_boundary(self.room - '…'.len_utf8()));
            self.text.push('…');
            self.is_cut = true;
        }
        self
    }

    /// Appends a further part if it fits and leaves `reserve` bytes. Returns whether it fitted.
    fn part(&mut self, text: &str, reserve: usize) -> bool {
        let fits = self.text.len().saturating_add(text.len() + 2 + reserve) <= self.room;
        if fits && !text.is_empty() {
            self.text.push_str("; ");
            self.text.push_str(text);
        }
        self.is_cut |= !fits;
        fits
    }

    fn detail(mut self, text: &str) -> Self {
        self.part(text, 0);
        self
    }

    /// Appends the service's own words, truncated if they are too long.
    fn words(mut self, introduction: &str, words: &str) -> Self {
        if words.is_empty() {
            return self;
        }
        let text = format!("; {introduction}: {words}");
        let left = self.room.saturating_sub(self.text.len());
        if text.len() <= left {
            self.text.push_str(&text);
            return self;
        }
        self.is_cut = true;
        if left >= MIN_WORDS_BYTES + introduction.len() {
            self.text.push_str(&text[..text.floor_char_boundary(left - '…'.len_utf8())]);
            self.text.push('…');
        }
        self
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

/// Objects that could not be read.
struct Objects<'a> {
    vault: &'a VaultName,
    caller: &'a Caller,
    failures: &'a [ObjectFailure],
}

/// Objects of one vault that failed for the same reason.
struct Group<'a> {
    vault: &'a VaultName,
    code: FailureCode,
    cause: String,
    action: String,
    failures: Vec<&'a ObjectFailure>,
}

impl<'a> Objects<'a> {
    fn line(&self, code: Option<FailureCode>, mut line: Line) -> Line {
        let Self { caller, failures, .. } = self;
        let names = if line.is_full_text() { Names::All } else { Names::First };
        let mut groups = self.groups();
        // The group of the code at the front of the message comes first.
        groups.sort_by_key(|group| Some(group.code) != code);
        let (first, others) = match groups.as_slice() {
            [] => return line,
            [first, others @ ..] => (first, others),
        };
        // The log shows the names that the message omits.
        line.is_cut |=
            names == Names::First && groups.iter().any(|group| group.names(names) != group.names(Names::All));
        let cannot = match others {
            [] => format!("cannot read {} from vault {}: ", first.names(names), first.vault),
            _ => {
                let from = match others.iter().all(|other| other.vault == first.vault) {
                    true => format!("vault {}", first.vault),
                    false => "several vaults".to_owned(),
                };
                format!("cannot read {} objects from {from}: {}: ", failures.len(), first.names(names))
            }
        };
        line = line.head(&format!("{cannot}{}", because(&first.cause, &first.action)));
        for (index, group) in others.iter().enumerate() {
            let is_last = index + 1 == others.len();
            let text =
                format!("[{}] {}: {}", group.code, group.names(names), because(&group.cause, &group.action));
            if !line.part(&text, if is_last { 0 } else { LEFT_OUT_BYTES }) {
                let left = others[index..].iter().map(|group| group.failures.len()).sum::<usize>();
                line.part(&format!("and {left} more, which the provider's log names"), 0);
                break;
            }
        }
        let of = caller.tenant.as_ref().map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        let host = self.asked(first.vault).map_or(first.vault.as_str(), |vault| &vault.host);
        line = line.detail(&format!("asked {host} as {}{of}", caller.identity));
        line.words(&format!("{} says", first.speaker()), first.words())
    }

    /// Groups the failures, in the order of each group's first object.
    fn groups(&self) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for failure in self.failures {
            let code = failure.error.code();
            let cause = Report(&failure.error).to_string();
            let action = match failure.error {
                // The error text names the action.
                ObjectError::AllDisabled | ObjectError::StartDisabled => String::new(),
                _ if depends_on_identity(code) => {
                    with_misspellings(remediation::of(code, &self.about(failure)), &self.caller.misspellings)
                }
                _ => remediation::of(code, &self.about(failure)),
            };
            let vault = self.vault_of(failure);
            let same = |group: &&mut Group| {
                group.vault == vault && group.code == code && group.cause == cause && group.action == action
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.failures.push(failure),
                None => groups.push(Group { vault, code, cause, action, failures: vec![failure] }),
            }
        }
        groups
    }

    fn about(&self, failure: &'a ObjectFailure) -> About<'a>
    where
        Self: 'a,
    {
        let said = answer(failure).and_then(VaultErrorResponse::object_id);
        let vault = self.vault_of(failure);
        About {
            vault: Some(vault),
            kind: Some(failure.kind),
            access: match failure.error {
                ObjectError::List(_) => Access::List,
                _ => Access::Get,
            },
            identity: &self.caller.identity,
            tenant: self.caller.tenant.as_ref(),
            object_id: self.caller.object_id.as_deref().or(said),
            other_authority: self.asked(vault).and_then(|vault| vault.other_authority.as_ref()),
            ..About::default()
        }
    }

    fn vault_of(&self, failure: &'a ObjectFailure) -> &'a VaultName {
        failure.vault.as_ref().unwrap_or(self.vault)
    }

    fn asked(&self, vault: &VaultName) -> Option<&'a AskedVault> {
        self.caller.vaults.iter().find(|asked| asked.name == *vault)
    }
}

impl Group<'_> {
    /// Returns the vault's words about the group's first object.
    fn words(&self) -> &str {
        let first = self.failures.first().and_then(|failure| answer(failure));
        first.map_or("", VaultErrorResponse::words)
    }

    /// Returns the name of the service that sent those words.
    fn speaker(&self) -> &'static str {
        let first = self.failures.first().and_then(|failure| answer(failure));
        first.map_or("Key Vault", VaultErrorResponse::speaker)
    }

    fn names(&self, names: Names) -> String {
        listed(self.failures.iter().map(|failure| failure.object.as_str()), names)
    }
}

fn answer(failure: &ObjectFailure) -> Option<&VaultErrorResponse> {
    failure.error.vault().and_then(VaultError::answer)
}

/// Returns the beginning of a message about a mount that read no object.
fn cannot_read(wanted: &[String], vault: &VaultName) -> String {
    let names = listed(wanted.iter().map(String::as_str), Names::First);
    format!("cannot read {names} from vault {vault}: ")
}

fn because(cause: &str, action: &str) -> String {
    if action.is_empty() { cause.to_owned() } else { format!("{cause}; {action}") }
}

/// Returns whether another identity, or the same identity in another cloud, might not meet this failure.
fn depends_on_identity(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::Forbidden
            | FailureCode::ForbiddenByRbac
            | FailureCode::ForbiddenByPolicy
            | FailureCode::VaultRefusedToken
            | FailureCode::VaultInOtherTenant
            | FailureCode::WrongAudience
            | FailureCode::VaultDnsFailed
    )
}

fn with_misspellings(remediation: String, misspellings: &[Misspelling]) -> String {
    let sentences = misspellings.iter().map(ToString::to_string);
    let all: Vec<String> =
        [remediation].into_iter().filter(|text| !text.is_empty()).chain(sentences).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests;

//! The line of a mount whose objects could not be read, grouped by the reason.

use std::collections::HashMap;

use crate::{
    failure::FailureCode,
    report::Report,
    spec::vault::VaultName,
    vault::{VaultError, VaultErrorResponse},
};

use super::{
    super::{
        error::{AskedVault, Caller, ObjectError, ObjectFailure},
        listed::{Names, listed},
        remediation::{self, About, Access},
    },
    because,
    line::{Destination, Line},
    with_misspellings,
};

/// The reserve for the count of omitted objects, in bytes.
const LEFT_OUT_BYTES: usize = 48;

/// The most groups of a message. A message has room for a few, and the log for a hundred.
const MAX_GROUPS: usize = 100;

/// Objects that could not be read.
pub(super) struct Objects<'a> {
    pub(super) vault: &'a VaultName,
    pub(super) caller: &'a Caller,
    pub(super) failures: &'a [ObjectFailure],
}

/// Objects of one vault that failed for the same reason.
struct Group<'a> {
    vault: &'a VaultName,
    code: FailureCode,
    cause: String,
    action: String,
    failures: Vec<&'a ObjectFailure>,
}

/// What the objects of a group have in common: vault, code, cause and action.
type Reason<'a> = (&'a VaultName, FailureCode, String, String);

impl<'a> Objects<'a> {
    pub(super) fn line(&self, code: Option<FailureCode>, mut line: Line) -> Line {
        let Self { caller, failures, .. } = self;
        let (names, log) = match line.destination() {
            Destination::Answer => (Names::First, ", which the provider's log names"),
            Destination::Log => (Names::All, ""),
        };
        let (mut groups, ungrouped) = self.groups(code);
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
        line.is_cut |= ungrouped > 0;
        let mut left = ungrouped;
        for (index, group) in others.iter().enumerate() {
            let is_last = index + 1 == others.len() && ungrouped == 0;
            let text =
                format!("[{}] {}: {}", group.code, group.names(names), because(&group.cause, &group.action));
            if !line.part(&text, if is_last { 0 } else { LEFT_OUT_BYTES }) {
                left += others[index..].iter().map(|group| group.failures.len()).sum::<usize>();
                break;
            }
        }
        if left > 0 {
            line.part(&format!("and {left} more{log}"), 0);
        }
        let of = caller.tenant.as_ref().map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        let host = self.asked(first.vault).map_or(first.vault.as_str(), |vault| &vault.host);
        line = line.detail(&format!("asked {host} as {}{of}", caller.identity));
        line.words(&format!("{} says", first.speaker()), first.words())
    }

    /// Returns the first groups of the failures, in the order of each group's first object, and the number of objects in
    /// other groups. A group of `code` is among them.
    fn groups(&self, code: Option<FailureCode>) -> (Vec<Group<'a>>, usize) {
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut indexes: HashMap<Reason<'a>, usize> = HashMap::new();
        let (mut has_code, mut ungrouped) = (false, 0);
        for failure in self.failures {
            let reason = self.reason(failure);
            if let Some(index) = indexes.get(&reason) {
                groups[*index].failures.push(failure);
                continue;
            }
            let is_of_code = Some(reason.1) == code;
            if groups.len() >= MAX_GROUPS && (has_code || !is_of_code) {
                ungrouped += 1;
                continue;
            }
            has_code |= is_of_code;
            indexes.insert(reason.clone(), groups.len());
            let (vault, code, cause, action) = reason;
            groups.push(Group { vault, code, cause, action, failures: vec![failure] });
        }
        (groups, ungrouped)
    }

    fn reason(&self, failure: &'a ObjectFailure) -> Reason<'a> {
        let code = failure.error.code();
        let cause = Report(&failure.error).to_string();
        let action = match failure.error {
            // The error text names the action.
            ObjectError::AllDisabled | ObjectError::StartDisabled | ObjectError::ChosenDisabled => {
                String::new()
            }
            _ if depends_on_identity(code) => {
                with_misspellings(remediation::of(code, &self.about(failure)), &self.caller.misspellings)
            }
            _ => remediation::of(code, &self.about(failure)),
        };
        (self.vault_of(failure), code, cause, action)
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

/// Returns the vault's answer about an object, if there was one.
pub(super) fn answer(failure: &ObjectFailure) -> Option<&VaultErrorResponse> {
    failure.error.vault().and_then(VaultError::answer)
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

//! How a failed mount is told.
//!
//! An event shows about the first thousand characters, and events are one event only where their texts are the same.
//! So: how many objects and which, what happened in Azure's codes, what to change, Azure's own words, and last what
//! differs from try to try.

use std::{
    fmt::{self, Formatter, Write},
    time::Duration,
};

use crate::{
    failure::FailureCode,
    identity::IdentityError,
    report::Report,
    spec::{misspelling::Misspelling, vault::VaultName},
    vault::{ServiceAnswer, VaultError},
};

use super::{
    error::{Caller, MountError, ObjectError, ObjectFailure},
    line,
    listed::listed,
    waiting::Waiting,
    way_out::{self, About},
};

/// So many objects are named before a reason that they have in common; all of them are named behind it.
const NAMED: usize = 3;

/// So many of Azure's request ids are told.
const IDS: usize = 5;

impl std::error::Error for MountError {}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cloud(error) => Report(error).fmt(f),
            Self::Identity { wanted, vault, error, misspellings } => {
                Identity { wanted, vault, error, misspellings }.fmt(f)
            }
            Self::Connect { vault, error } => write!(f, "cannot connect to vault {vault}: {}", Report(error)),
            Self::Objects { vault, caller, failures } => Objects { vault, caller, failures }.fmt(f),
            Self::TooLarge { size, limit, largest } => write!(
                f,
                "the volume is too large for the driver: about {size} bytes of {limit}; the largest files are {largest}; \
                 mount fewer objects in one volume, or raise --max-call-recv-msg-size of the driver and of the provider"
            ),
            Self::NoPlace { vault, waited } => write!(
                f,
                "no turn within {:.1} seconds: {} mounts from vault {vault}, {} of them of volumes that come again, or \
                 {} from all vaults were under way all the time, and the log says of each how it ended",
                waited.as_secs_f32(),
                line::OF_ONE_VAULT,
                line::OF_ONE_VAULT_AGAIN,
                line::AT_ONCE
            ),
            Self::OutOfTime { wanted, vault, budget, waiting, spent } => {
                OutOfTime { wanted, vault, budget: *budget, waiting, spent: *spent }.fmt(f)
            }
        }
    }
}

/// No token.
struct Identity<'a> {
    wanted: &'a [String],
    vault: &'a VaultName,
    error: &'a IdentityError,
    misspellings: &'a [Misspelling],
}

impl fmt::Display for Identity<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { wanted, vault, error, misspellings } = self;
        let asked = error.asked();
        let about = About {
            vault: Some(vault),
            identity: &asked.identity,
            client: asked.client.as_deref(),
            source: Some(&asked.source),
            presented: asked.presented.as_ref(),
            ..About::default()
        };
        head(f, wanted, vault)?;
        write!(f, "{}", Report(*error))?;
        then(f, &with_misspellings(way_out::of(error.code(), &about), misspellings))?;
        let Some(answer) = error.answer() else { return Ok(()) };
        says(f, "The answer was", answer.words())?;
        let status = format!("status {}", answer.status());
        f.write_char(' ')?;
        tail(f, [Some(status.as_str()), Some(answer.trace())])
    }
}

/// Objects that could not be had.
struct Objects<'a> {
    vault: &'a VaultName,
    caller: &'a Caller,
    failures: &'a [ObjectFailure],
}

/// Objects that failed for one and the same reason.
struct Group<'a> {
    code: FailureCode,
    headline: String,
    way_out: String,
    failures: Vec<&'a ObjectFailure>,
}

impl<'a> Objects<'a> {
    /// In the order of each group's first object.
    fn groups(&self) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for failure in self.failures {
            let code = failure.error.code();
            let headline = Report(&failure.error).to_string();
            let way_out = match failure.error {
                // They say it themselves.
                ObjectError::AllDisabled | ObjectError::StartDisabled => String::new(),
                _ if depends_on_identity(code) => {
                    with_misspellings(way_out::of(code, &self.about(failure)), &self.caller.misspellings)
                }
                _ => way_out::of(code, &self.about(failure)),
            };
            let same = |group: &&mut Group| {
                group.code == code && group.headline == headline && group.way_out == way_out
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.failures.push(failure),
                None => groups.push(Group { code, headline, way_out, failures: vec![failure] }),
            }
        }
        groups
    }

    fn about(&self, failure: &'a ObjectFailure) -> About<'a>
    where
        Self: 'a,
    {
        let said = answer(failure).and_then(ServiceAnswer::object_id);
        About {
            vault: Some(self.vault),
            kind: Some(failure.kind),
            identity: &self.caller.identity,
            tenant: self.caller.tenant.as_ref(),
            object_id: self.caller.object_id.as_deref().or(said),
            other_authority: self.caller.other_authority.as_ref(),
            ..About::default()
        }
    }
}

impl fmt::Display for Objects<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { vault, caller, failures } = self;
        let groups = self.groups();
        match (groups.as_slice(), *failures) {
            ([group], [failure]) => {
                write!(f, "cannot read {} from vault {vault}: ", failure.object)?;
                group.reason(f)?;
                says(f, &format!("{} says", group.speaker()), group.words())?;
            }
            ([group], all) => {
                write!(f, "cannot read {} objects from vault {vault}: {}: ", all.len(), group.names(NAMED))?;
                group.reason(f)?;
                says(f, &format!("{} says", group.speaker()), group.words())?;
                if all.len() > NAMED {
                    write!(f, ". All {}: {}", all.len(), group.names(usize::MAX))?;
                }
            }
            (groups, all) => {
                write!(f, "cannot read {} objects from vault {vault}:", all.len())?;
                for group in groups {
                    write!(f, "\n[{}] {}: ", group.code, group.names(NAMED))?;
                    group.reason(f)?;
                }
                for group in groups {
                    group.rest(f)?;
                }
            }
        }
        f.write_char(if groups.len() > 1 { '\n' } else { ' ' })?;
        let of = caller.tenant.as_ref().map(|tenant| format!(" of tenant {tenant}")).unwrap_or_default();
        let who = format!("asked {} as {}{of}", caller.host, caller.identity);
        let ids = failures.iter().filter_map(answer).filter_map(ServiceAnswer::request_id);
        let ids: Vec<String> = ids.take(IDS).map(ToOwned::to_owned).collect();
        let ids = (!ids.is_empty()).then(|| format!("request ids of Azure: {}", ids.join(", ")));
        tail(f, [Some(who.as_str()), ids.as_deref()])
    }
}

impl Group<'_> {
    fn reason(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline)?;
        then(f, &self.way_out)
    }

    /// What the vault said of the first of them.
    fn words(&self) -> &str {
        let first = self.failures.first().and_then(|failure| answer(failure));
        first.map_or("", ServiceAnswer::words)
    }

    /// What says that.
    fn speaker(&self) -> &'static str {
        let first = self.failures.first().and_then(|failure| answer(failure));
        first.map_or("Key Vault", ServiceAnswer::speaker)
    }

    /// What comes behind all reasons, where there are several.
    fn rest(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let first = self.failures.first().map_or("", |failure| failure.object.as_str());
        if self.failures.len() > NAMED {
            write!(f, "\nAll {} with {first}: {}", self.failures.len(), self.names(usize::MAX))?;
        }
        match self.words() {
            "" => Ok(()),
            words => write!(f, "\n{} says of {first}: {words}", self.speaker()),
        }
    }

    fn names(&self, most: usize) -> String {
        listed(self.failures.iter().map(|failure| &failure.object), most)
    }
}

fn answer(failure: &ObjectFailure) -> Option<&ServiceAnswer> {
    failure.error.vault().and_then(VaultError::answer)
}

/// No time left.
struct OutOfTime<'a> {
    wanted: &'a [String],
    vault: &'a VaultName,
    budget: Duration,
    waiting: &'a Waiting,
    spent: Duration,
}

impl fmt::Display for OutOfTime<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { wanted, vault, budget, waiting, spent } = self;
        head(f, wanted, vault)?;
        write!(
            f,
            "the mount was given up after {:.1} seconds, before its caller's patience ended: {waiting}",
            budget.as_secs_f32()
        )?;
        then(f, &way_out::of(waiting.code(), &About::default()))?;
        let mut details = waiting.details();
        details.push(format!("for {:.1} seconds", spent.as_secs_f32()));
        f.write_char(' ')?;
        tail(f, details.iter().map(|detail| Some(detail.as_str())))
    }
}

/// What failed as a whole.
fn head(f: &mut Formatter<'_>, wanted: &[String], vault: &VaultName) -> fmt::Result {
    match wanted {
        [only] => write!(f, "cannot read {only} from vault {vault}: "),
        all => write!(f, "cannot read {} objects from vault {vault} ({}): ", all.len(), listed(all, NAMED)),
    }
}

/// Whether another identity, or the same one of another cloud, may not have met this failure.
fn depends_on_identity(code: FailureCode) -> bool {
    matches!(
        code,
        FailureCode::Forbidden
            | FailureCode::ForbiddenByRbac
            | FailureCode::ForbiddenByPolicy
            | FailureCode::VaultRefusedToken
            | FailureCode::VaultInOtherTenant
            | FailureCode::WrongAudience
            | FailureCode::VaultNotInDns
    )
}

fn with_misspellings(way_out: String, misspellings: &[Misspelling]) -> String {
    let sentences = misspellings.iter().map(ToString::to_string);
    let all: Vec<String> = [way_out].into_iter().filter(|text| !text.is_empty()).chain(sentences).collect();
    all.join("; ")
}

fn then(f: &mut Formatter<'_>, way_out: &str) -> fmt::Result {
    if way_out.is_empty() { Ok(()) } else { write!(f, "; {way_out}") }
}

fn says(f: &mut Formatter<'_>, who: &str, words: &str) -> fmt::Result {
    if words.is_empty() { Ok(()) } else { write!(f, ". {who}: {words}") }
}

/// What differs from try to try, or is known anyway.
fn tail<'a>(f: &mut Formatter<'_>, parts: impl IntoIterator<Item = Option<&'a str>>) -> fmt::Result {
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { Ok(()) } else { write!(f, "({})", parts.join("; ")) }
}

#[cfg(test)]
mod tests;

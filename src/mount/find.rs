//! Finds the objects of the entries with `find` in the lists of their vaults.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use futures::{StreamExt, stream::FuturesUnordered};

use crate::{
    spec::{
        absence::Presence,
        excerpt::Excerpt,
        find::{Candidate, FindSpec},
        match_steps::{MatchSteps, TooManySteps},
        object::{ObjectName, ObjectSpec, ObjectType},
        output::MAX_STORES,
        rewrite::NotRewritten,
        vault::VaultName,
    },
    vault::{Extent, List, ListedObject, ObjectList, VaultError},
};

use super::{
    draft::TooLarge,
    failover,
    failure::{ObjectError, ObjectFailure, Progress},
    fetch, layout,
    memory::{MountMemory, NoPermit},
    vaults::VaultClients,
};

/// The most objects of one type in a vault that is listed.
pub const MAX_LISTED: usize = 2_500;

/// The most objects that one mount finds.
pub const MAX_FOUND: usize = 250;

/// The most pages of a list. A page has up to 25 objects, and Key Vault may return pages that are not full.
const MAX_PAGES: usize = 200;

/// How much memory all lists of a mount may take, in multiples of the driver's limit: as much as one permit for a large
/// volume stands for.
const MAX_LISTS: usize = 4;

/// Names that are compared between two checks of whether the mount was dropped.
const NAMES_BETWEEN_CHECKS: usize = 64;

/// The list of one find's vault.
pub(super) type Listed = Result<Arc<ObjectList>, Arc<VaultError>>;

/// The memory that a mount may take.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) memory: MountMemory,
    /// The driver's limit for one answer, in bytes.
    pub(super) largest_volume: usize,
}

/// Why the lists of a mount stopped before their end.
#[derive(Debug)]
pub(super) enum NotListed {
    /// The find with this index has a list that is too large, together with the lists before.
    TooLarge(usize),
    /// The lists are large, and no permit for a large volume is free.
    NoPermit,
}

/// The lists that a mount holds.
struct Held<'a> {
    room: &'a Room,
    bytes: usize,
    /// The addresses of the lists: finds share them.
    lists: HashSet<usize>,
}

impl Held<'_> {
    fn add(&mut self, index: usize, listed: &Listed) -> Result<(), NotListed> {
        let Ok(list) = listed else { return Ok(()) };
        if self.lists.insert(Arc::as_ptr(list).addr()) {
            self.bytes += list.bytes();
        }
        if self.bytes > self.room.largest_volume.saturating_mul(MAX_LISTS) {
            return Err(NotListed::TooLarge(index));
        }
        self.room.memory.hold(self.bytes).map_err(|NoPermit| NotListed::NoPermit)
    }
}

/// Returns the list of each find's vault that `before` does not hold. Finds of one vault and type share a list. Marks each
/// find in `progress`.
///
/// # Errors
/// The lists together are too large, or larger than `room` allows now.
pub(super) async fn list(
    clients: &VaultClients,
    finds: &[FindSpec],
    before: Vec<Option<Listed>>,
    progress: &Progress,
    room: &Room,
) -> Result<Vec<Listed>, NotListed> {
    let mut held = Held { room, bytes: 0, lists: HashSet::new() };
    let mut begun = HashMap::new();
    let mut lists: Vec<Option<Listed>> = Vec::with_capacity(finds.len());
    let waiting = FuturesUnordered::new();
    let before = before.into_iter().chain(std::iter::repeat_with(|| None));
    for ((index, find), before) in finds.iter().enumerate().zip(before) {
        if let Some(before) = &before {
            held.add(index, before)?;
            progress.done(index, false);
        } else {
            let list =
                List { object_type: find.object_type(), max_objects: MAX_LISTED, max_pages: MAX_PAGES };
            let ask = || clients.of_vault(find.vault.as_ref()).list(list);
            let answer = begun.entry((find.vault.as_ref(), find.object_type())).or_insert_with(ask).clone();
            waiting.push(async move { (index, answer.await) });
        }
        lists.push(before);
    }
    let mut waiting = std::pin::pin!(waiting);
    while let Some((index, listed)) = waiting.next().await {
        held.add(index, &listed)?;
        progress.done(index, listed.as_ref().is_err_and(|error| !failover::is_out_of_reach(error)));
        lists[index] = Some(listed);
    }
    Ok(lists.into_iter().flatten().collect())
}

/// Returns the lists, without those for which the vault refused the token.
pub(super) fn without_refused(lists: Vec<Listed>) -> Vec<Option<Listed>> {
    let is_refused = |list: &Listed| list.as_ref().is_err_and(|error| fetch::token_refusal(error).is_some());
    lists.into_iter().map(|list| (!is_refused(&list)).then_some(list)).collect()
}

/// Returns the lists.
///
/// # Errors
/// The finds whose vaults cannot be listed, in the user's order.
pub(super) fn all(
    finds: &[FindSpec],
    lists: Vec<Listed>,
) -> Result<Vec<Arc<ObjectList>>, Vec<ObjectFailure>> {
    let mut failures = Vec::new();
    let mut all = Vec::with_capacity(lists.len());
    for (find, list) in finds.iter().zip(lists) {
        match list {
            Ok(list) => all.push(list),
            Err(error) => failures.push(ObjectFailure::of_find(find, ObjectError::List(error))),
        }
    }
    if failures.is_empty() { Ok(all) } else { Err(failures) }
}

/// Why no objects were chosen.
#[derive(Debug)]
pub(super) enum NotChosen {
    /// The finds that fail the mount, in the user's order; never empty.
    Failures(Vec<ObjectFailure>),
    /// No volume within the driver's limit can hold the names of the files.
    TooLarge(TooLarge),
    /// The names are long together, and no permit for a large volume is free.
    NoPermit,
    /// The mount was dropped.
    Abandoned,
}

impl NotChosen {
    /// Returns the failure of the find whose expressions make too much work. Those of later finds are not tried.
    fn too_many_steps(find: &FindSpec) -> Self {
        Self::Failures(vec![ObjectFailure::of_find(find, ObjectError::TooManySteps)])
    }
}

/// Returns the `named` objects of a class, with the objects that each find chooses of its list between them, and the
/// reads of all passwords. `abandoned` is checked at intervals: an expression takes time for each name.
///
/// An object that an entry names is not found again, and neither is one with a password.
pub(super) fn choose(
    named: &[ObjectSpec],
    finds: &[FindSpec],
    lists: &[Arc<ObjectList>],
    room: &Room,
    abandoned: impl Fn() -> bool,
) -> Result<Arc<[ObjectSpec]>, NotChosen> {
    let distinct: HashMap<_, _> = lists.iter().map(|list| (Arc::as_ptr(list).addr(), list.bytes())).collect();
    let mut choice = Choice {
        named: named_objects(named, finds),
        distinct: HashSet::new(),
        stores: named.iter().map(ObjectSpec::stores).sum(),
        list_bytes: distinct.values().sum(),
        found_bytes: 0,
        steps: MatchSteps::of_mount(),
        room,
    };
    let (mut objects, mut failures) = (Vec::with_capacity(named.len()), Vec::new());
    let mut before = 0;
    for (find, list) in finds.iter().zip(lists) {
        objects.extend_from_slice(&named[before..find.position]);
        before = find.position;
        match choice.of(find, list, &abandoned)? {
            Ok(found) => objects.extend(found),
            Err(errors) => failures.extend(errors),
        }
    }
    objects.extend_from_slice(&named[before..]);
    if !failures.is_empty() {
        return Err(NotChosen::Failures(failures));
    }
    objects.extend(layout::password_reads(&objects));
    Ok(objects.into())
}

/// An object, its name in lower case: Key Vault's names ignore case.
type Identity<'a> = (Option<&'a VaultName>, ObjectType, String);

fn identity<'a>(vault: Option<&'a VaultName>, object_type: ObjectType, name: &ObjectName) -> Identity<'a> {
    (vault, object_type, name.as_str().to_ascii_lowercase())
}

fn named_objects<'a>(named: &'a [ObjectSpec], finds: &'a [FindSpec]) -> HashSet<Identity<'a>> {
    let objects =
        named.iter().map(|object| identity(object.vault.as_ref(), object.object_type(), &object.name));
    let passwords = named.iter().flat_map(|object| {
        let passwords = object.password_objects();
        passwords.map(|name| identity(object.vault.as_ref(), ObjectType::Secret, name))
    });
    let of_finds = finds.iter().flat_map(|find| {
        let passwords = find.password_objects();
        passwords.map(|name| identity(find.vault.as_ref(), ObjectType::Secret, name))
    });
    objects.chain(passwords).chain(of_finds).collect()
}

/// The choice of all finds of a mount.
struct Choice<'a> {
    /// The objects that entries name.
    named: HashSet<Identity<'a>>,
    /// The objects that were found so far.
    distinct: HashSet<Identity<'a>>,
    /// The PKCS#12 stores so far.
    stores: usize,
    /// The size of the lists.
    list_bytes: usize,
    /// The size of the names so far, of every copy: several finds may find one object.
    found_bytes: usize,
    /// The work that is left for the expressions.
    steps: MatchSteps,
    room: &'a Room,
}

impl<'a> Choice<'a> {
    /// Returns the objects of one find, sorted by name, or its failures.
    fn of(
        &mut self,
        find: &'a FindSpec,
        list: &ObjectList,
        abandoned: &impl Fn() -> bool,
    ) -> Result<Result<Vec<ObjectSpec>, Vec<ObjectFailure>>, NotChosen> {
        let fail = |error| Ok(Err(vec![ObjectFailure::of_find(find, error)]));
        if list.extent == Extent::Beginning {
            return fail(ObjectError::TooManyListed { object_type: find.object_type() });
        }
        // A copy, since an expression keeps the memory of its searches for as long as it exists.
        let searches = find.clone();
        let mut names = Vec::new();
        for (index, object) in list.objects.iter().enumerate() {
            if index % NAMES_BETWEEN_CHECKS == 0 && abandoned() {
                return Err(NotChosen::Abandoned);
            }
            let of_object = identity(find.vault.as_ref(), find.object_type(), &object.name);
            if !is_enabled(object) || self.named.contains(&of_object) {
                continue;
            }
            let admitted = searches.conditions.admit(seen(object), &mut self.steps);
            if admitted.map_err(|TooManySteps| NotChosen::too_many_steps(find))? {
                names.push((object.name.as_str().to_ascii_lowercase(), &object.name));
                self.distinct.insert(of_object);
                if self.distinct.len() > MAX_FOUND {
                    return fail(ObjectError::TooManyFound);
                }
            }
        }
        if names.is_empty() && find.presence == Presence::Required {
            return fail(ObjectError::NothingFound);
        }
        self.stores += find.stores() * names.len();
        if self.stores > MAX_STORES {
            return fail(ObjectError::TooManyStores);
        }
        names.sort_unstable();
        let (mut objects, mut failures) = (Vec::with_capacity(names.len()), Vec::new());
        for (_, name) in names {
            match searches.object(name.clone(), &mut self.steps) {
                Ok(object) => {
                    self.count(&object)?;
                    objects.push(object);
                }
                Err(NotRewritten::TooManySteps) => return Err(NotChosen::too_many_steps(find)),
                Err(NotRewritten::NoPath { name: path, reason }) => {
                    let error = ObjectError::RewrittenPath { path: Excerpt::of(&path), reason };
                    failures.push(ObjectFailure::of_found(find, name, error));
                }
            }
        }
        Ok(if failures.is_empty() { Ok(objects) } else { Err(failures) })
    }

    /// Counts the names of a found object's files.
    fn count(&mut self, object: &ObjectSpec) -> Result<(), NotChosen> {
        self.found_bytes += fetch::found_bytes(object);
        if self.found_bytes > self.room.largest_volume {
            return Err(NotChosen::TooLarge(TooLarge { size: self.found_bytes, largest: None }));
        }
        let held = self.room.memory.hold(self.list_bytes + self.found_bytes);
        held.map_err(|NoPermit| NotChosen::NoPermit)
    }
}

fn is_enabled(object: &ListedObject) -> bool {
    object.properties.lifecycle.enabled != Some(false)
}

fn seen(object: &ListedObject) -> Candidate<'_> {
    let properties = &object.properties;
    Candidate {
        name: object.name.as_str(),
        tags: &properties.tags,
        content_type: properties.content_type.as_deref(),
        is_managed: properties.managed == Some(true),
    }
}

#[cfg(test)]
mod tests;

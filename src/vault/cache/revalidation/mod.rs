//! Revalidation: one list shows a republish which values of earlier reads the vault still has.

mod known_lists;
mod rule;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures::{FutureExt, future::join_all};
use tokio::time::{Instant, timeout};

use crate::spec::object::ObjectType;

use super::{
    super::{
        bundle::Bundle,
        list::{Extent, List, ObjectList},
        read::Read,
    },
    read_cache::{Answer, ReadCache, Reader},
};

pub use self::{
    known_lists::{KnownLists, Lists},
    rule::{Attributes, Decision, LastRead, MAX_UNREAD, page_budget, turn},
};

/// The requests to one vault on behalf of one reader, whose answers the cache shares.
pub(in crate::vault) trait Requests: Clone + Send + Sync + 'static {
    /// Reads one version of an object.
    fn get(&self, read: &Read) -> Answer<Bundle>;
    /// Lists the vault's objects of one type.
    fn list(&self, list: List) -> Answer<ObjectList>;
}

/// A cache from which a mount reads.
#[derive(Clone)]
pub(in crate::vault) struct CacheReader {
    pub(in crate::vault) cache: Arc<ReadCache>,
    pub(in crate::vault) vault: Arc<str>,
    pub(in crate::vault) reader: Reader,
}

/// What the lists of a round show.
#[derive(Default)]
pub(in crate::vault) struct Round(HashMap<Read, Revalidated>);

/// An object whose value stands.
enum Revalidated {
    /// It is read nevertheless: the read of the round.
    Turn(Arc<Turn>),
    /// Its value is served if it is still kept after the read of the round.
    Stands { asked: Instant, listed: Instant, turn: Arc<Turn> },
}

/// The read of a round. It begins when the mount asks for the first answer.
struct Turn {
    read: Read,
    answer: OnceLock<Answer<Bundle>>,
}

impl Turn {
    /// Returns the answer. The caller must wait for it: a read that nobody drives holds up the vault's queue.
    fn answer(&self, requests: &impl Requests) -> Answer<Bundle> {
        self.answer.get_or_init(|| requests.get(&self.read)).clone()
    }
}

impl Round {
    /// Requests the lists that save requests for `reads`, and decides on the reads of the round. A list that takes
    /// longer than `limit` shows nothing: the reads need the rest of the mount's time.
    pub(in crate::vault) async fn begin(
        from: &CacheReader,
        reads: &[Read],
        limit: Duration,
        requests: &impl Requests,
    ) -> Self {
        let types = [ObjectType::Secret, ObjectType::Key, ObjectType::Certificate];
        let rounds = types.map(|object_type| of_type(from, reads, object_type, limit, requests));
        Self(join_all(rounds).await.into_iter().flatten().collect())
    }

    /// Returns the answer to a read of the newest version of an object whose value stands.
    pub(in crate::vault) fn answer(
        &self,
        from: &CacheReader,
        read: &Read,
        requests: &impl Requests,
    ) -> Option<Answer<Bundle>> {
        match self.0.get(read)? {
            Revalidated::Turn(turn) => Some(turn.answer(requests)),
            Revalidated::Stands { asked, listed, turn } => {
                let (asked, listed, turn) = (*asked, *listed, turn.answer(requests));
                let (from, read, requests) = (from.clone(), read.clone(), requests.clone());
                let answer = async move {
                    // If the vault refuses this read, the cache drops all that the principal has read there.
                    let _ = turn.await;
                    match from.cache.confirm(&from.vault, &from.reader, &read, asked, listed) {
                        Some(bundle) => Ok(bundle),
                        None => requests.get(&read).await,
                    }
                };
                Some(answer.boxed().shared())
            }
        }
    }
}

/// Returns what a list of the objects of one type shows.
async fn of_type(
    from: &CacheReader,
    reads: &[Read],
    object_type: ObjectType,
    limit: Duration,
    requests: &impl Requests,
) -> Vec<(Read, Revalidated)> {
    let CacheReader { cache, vault, reader } = from;
    let Some(principal) = reader.principal.clone().filter(|_| cache.revalidates(reader)) else {
        return Vec::new();
    };
    let now = Instant::now();
    let mut seen = HashSet::new();
    let mut last: Vec<_> = reads
        .iter()
        .filter(|read| read.object_type == object_type && read.version.is_none() && seen.insert(*read))
        .filter_map(|read| Some((read, cache.last_read(vault, reader, read, now)?)))
        .filter(|(_, last)| last.can_stand(now))
        .collect();
    let lists = Lists { vault: vault.clone(), principal, object_type };
    let Some(list) = cache.known_lists().plan(&lists, page_budget(last.len()), now) else {
        return Vec::new();
    };
    let Ok(answer) = timeout(limit, requests.list(list)).await else { return Vec::new() };
    let now = Instant::now();
    let Ok(listed) = answer.as_ref().map(|listed| &**listed) else { return Vec::new() };
    if listed.extent == Extent::Beginning {
        return Vec::new();
    }
    let attributes = by_name(object_type, listed);
    last.retain(|(read, last)| {
        let listed = attributes.get(&read.name.as_str().to_ascii_lowercase());
        last.decide(listed, now) == Decision::Stands
    });
    let Some(turn) = turn(last.iter().map(|(_, last)| last)) else { return Vec::new() };
    let (turn, _) = last.swap_remove(turn);
    let of_round = Arc::new(Turn { read: turn.clone(), answer: OnceLock::new() });
    let stands =
        |LastRead { asked, .. }| Revalidated::Stands { asked, listed: listed.asked, turn: of_round.clone() };
    let mut round: Vec<_> = last.into_iter().map(|(read, last)| (read.clone(), stands(last))).collect();
    round.push((turn.clone(), Revalidated::Turn(of_round)));
    round
}

/// Returns the listed attributes by name in lower case: Key Vault's names ignore case.
fn by_name(object_type: ObjectType, listed: &ObjectList) -> HashMap<String, Attributes> {
    let attributes = |properties| Attributes::of(object_type, properties);
    let objects = listed.objects.iter();
    objects
        .map(|object| (object.name.as_str().to_ascii_lowercase(), attributes(&object.properties)))
        .collect()
}

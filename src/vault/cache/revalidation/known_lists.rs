//! What earlier lists of a vault have shown: how many pages it has, and which principals get none.

use std::{sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::{
    one_shard,
    spec::{object::ObjectType, principal::Principal},
};

use super::super::super::{
    error::VaultError,
    list::{Extent, List, ObjectList},
};

/// The most vaults, by type of object, whose pages are remembered, and the most refusals.
const MAX_KNOWN: usize = 1_000;

/// How long no list is requested after a refusal, or because of its pages: roles and vaults seldom change.
const REMEMBERED: Duration = Duration::from_secs(3_600);

/// Key Vault's most objects in a page.
const MAX_PAGE_OBJECTS: usize = 25;

/// The lists of a vault that a principal could request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lists {
    /// The host of the vault.
    pub vault: Arc<str>,
    /// The principal.
    pub principal: Principal,
    /// The type of the listed objects.
    pub object_type: ObjectType,
}

/// A record of lists. Time comes in as an argument.
pub struct KnownLists {
    /// By vault, since a vault shows each principal the same list.
    pages: Cache<(Arc<str>, ObjectType), Pages>,
    refused: Cache<Lists, Instant>,
}

/// The number of pages of a vault's list.
#[derive(Debug, Clone, Copy)]
enum Pages {
    /// All of them, as the request with these bounds found. Equal requests are shared.
    Exactly(usize, List),
    /// More than these, since this time.
    MoreThan(usize, Instant),
}

impl KnownLists {
    /// Creates an empty record.
    pub fn new() -> Self {
        Self { pages: one_shard::of_items(MAX_KNOWN), refused: one_shard::of_items(MAX_KNOWN) }
    }

    /// Returns the list to request, if it may have at most `budget` pages; `None` if the list has more, or the vault
    /// refused it. An unknown number of pages is found out by a list that ends after `budget` pages.
    pub fn plan(&self, lists: &Lists, budget: usize, now: Instant) -> Option<List> {
        let is_recent = |since: Instant| now.saturating_duration_since(since) < REMEMBERED;
        if budget == 0 || self.refused.get(lists).is_some_and(is_recent) {
            return None;
        }
        let own = List {
            object_type: lists.object_type,
            max_objects: budget * MAX_PAGE_OBJECTS,
            max_pages: budget,
        };
        match self.pages.get(&(lists.vault.clone(), lists.object_type)) {
            Some(Pages::Exactly(pages, list)) => (pages <= budget).then_some(list),
            Some(Pages::MoreThan(pages, since)) if is_recent(since) => (pages < budget).then_some(own),
            Some(Pages::MoreThan(..)) | None => Some(own),
        }
    }

    /// Records the answer to `list` that came at `now`.
    pub fn record(&self, lists: &Lists, list: List, answer: Result<&ObjectList, &VaultError>, now: Instant) {
        match answer {
            Ok(listed) => {
                let pages = match listed.extent {
                    Extent::Whole => Pages::Exactly(listed.pages, list),
                    Extent::Beginning => Pages::MoreThan(list.max_pages, now),
                };
                self.pages.insert((lists.vault.clone(), lists.object_type), pages);
            }
            Err(error) if is_final(error) => self.refused.insert(lists.clone(), now),
            Err(_) => {}
        }
    }
}

impl Default for KnownLists {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns whether a further list would fail too. The others tell of the moment or of the token.
fn is_final(error: &VaultError) -> bool {
    match error {
        VaultError::Throttled(_)
        | VaultError::Unavailable(_)
        | VaultError::Unreachable(_)
        | VaultError::Credential(_)
        | VaultError::Unauthorized(_)
        | VaultError::MoreClaims { .. } => false,
        VaultError::Forbidden(_)
        | VaultError::NotFound(_)
        | VaultError::Disabled(_)
        | VaultError::NotValidNow(_)
        | VaultError::Rejected(_)
        | VaultError::Foreign(_)
        | VaultError::InvalidChallenge(_)
        | VaultError::Malformed(_)
        | VaultError::Incomplete(_)
        | VaultError::OtherObject(_)
        | VaultError::RepeatedVersion(_)
        | VaultError::RepeatedObject(_)
        | VaultError::Endless { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(vault: &str, principal: &str) -> Lists {
        let principal = Principal::new("https://login.microsoftonline.com/", "t", principal);
        Lists { vault: vault.into(), principal, object_type: ObjectType::Secret }
    }

    fn list(pages: usize) -> List {
        List { object_type: ObjectType::Secret, max_objects: pages * 25, max_pages: pages }
    }

    fn answer(pages: usize, extent: Extent) -> ObjectList {
        ObjectList { objects: Vec::new(), pages, extent, asked: Instant::now() }
    }

    #[test]
    fn an_unknown_number_of_pages_is_found_out_within_the_budget() {
        let (known, now) = (KnownLists::new(), Instant::now());
        let lab = lists("lab", "p");
        assert_eq!(known.plan(&lab, 0, now), None);
        assert_eq!(known.plan(&lab, 3, now), Some(list(3)));
        known.record(&lab, list(3), Ok(&answer(3, Extent::Beginning)), now);
        assert_eq!(known.plan(&lab, 3, now), None, "it has more than three");
        assert_eq!(known.plan(&lists("lab", "q"), 3, now), None, "for each principal");
        assert_eq!(known.plan(&lab, 4, now), Some(list(4)), "it may have four");
        assert_eq!(known.plan(&lists("lab-2", "p"), 3, now), Some(list(3)), "another vault");
        assert_eq!(known.plan(&lab, 3, now + REMEMBERED), Some(list(3)), "it may have shrunk");
    }

    #[test]
    fn a_list_whose_pages_are_known_is_requested_with_equal_bounds() {
        let (known, now) = (KnownLists::new(), Instant::now());
        let lab = lists("lab", "p");
        known.record(&lab, list(8), Ok(&answer(2, Extent::Whole)), now);
        assert_eq!(known.plan(&lab, 1, now), None);
        assert_eq!(known.plan(&lab, 2, now), Some(list(8)));
        assert_eq!(known.plan(&lab, 9, now), Some(list(8)));
    }

    #[test]
    fn a_refused_list_is_not_requested_for_an_hour() {
        let (known, now) = (KnownLists::new(), Instant::now());
        let lab = lists("lab", "p");
        known.record(&lab, list(3), Err(&VaultError::Incomplete("id")), now);
        assert_eq!(known.plan(&lab, 3, now + REMEMBERED - Duration::from_millis(1)), None);
        assert_eq!(known.plan(&lists("lab", "q"), 3, now), Some(list(3)), "another principal may list");
        assert_eq!(known.plan(&lab, 3, now + REMEMBERED), Some(list(3)));
        let unreachable = VaultError::Unreachable("no connection".into());
        known.record(&lists("lab", "q"), list(3), Err(&unreachable), now);
        assert_eq!(known.plan(&lists("lab", "q"), 3, now), Some(list(3)), "it is a matter of the moment");
    }

    #[test]
    fn the_record_of_lists_is_bounded() {
        let (known, now) = (KnownLists::new(), Instant::now());
        for number in 0..10_000 {
            let lists = lists(&number.to_string(), "p");
            known.record(&lists, list(3), Ok(&answer(1, Extent::Whole)), now);
            known.record(&lists, list(3), Err(&VaultError::Incomplete("id")), now);
        }
        assert!(known.pages.len() <= MAX_KNOWN && known.refused.len() <= MAX_KNOWN);
    }
}

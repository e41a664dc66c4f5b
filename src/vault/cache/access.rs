//! What each principal has read in each vault, and when the vault last refused it.
//!
//! A refusal of an object that the principal had read says that its permissions have shrunk, so its cached answers of
//! the vault must go, those of reads in flight included. A refusal of any other object says nothing of these answers:
//! otherwise one SecretProviderClass with a wrong name would make all other volumes of its identity read anew. The same
//! goes for further refusals of an object whose refusal is known.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::{
    one_shard,
    spec::{
        object::{ObjectName, ObjectType},
        principal::Principal,
    },
};

/// The most objects of which the record says that a principal has read them.
const MAX_READ_OBJECTS: usize = 4_096;

/// The most principals whose last refusal is recorded.
const MAX_REFUSED_PRINCIPALS: usize = 1_000;

/// The most objects of which the record says that the vault did not have them.
const MAX_ABSENT_OBJECTS: usize = 1_000;

/// A record of reads and refusals.
pub(super) struct AccessRecord {
    read: Cache<ReadObject, ()>,
    refused: Cache<Access, Instant>,
    /// When the vault last said that an object is missing or disabled, whatever principal asked.
    absent: Cache<VaultObject, Instant>,
    /// Held while an answer is stored or answers are dropped, so that an answer is stored before a refusal and then
    /// dropped, or compared with it.
    storing: Mutex<()>,
}

/// A principal at a vault.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Access {
    pub(super) vault: Arc<str>,
    pub(super) principal: Principal,
}

/// An object of a vault that a principal has read, in any version, or its lists of one type of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ReadObject {
    pub(super) access: Access,
    pub(super) object_type: ObjectType,
    /// The name of the object in lower case; `None` stands for the lists.
    pub(super) name: Option<ObjectName>,
}

/// An object, whatever principal reads it.
type VaultObject = (Arc<str>, ObjectType, Option<ObjectName>);

/// What a vault refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token, whatever the object is: 401.
    Token,
    /// One object: 403.
    Object,
    /// One object, of which a value of the principal is kept: 403.
    KeptObject,
}

impl AccessRecord {
    pub(super) fn new() -> Self {
        Self {
            read: one_shard::of_items(MAX_READ_OBJECTS),
            refused: one_shard::of_items(MAX_REFUSED_PRINCIPALS),
            absent: one_shard::of_items(MAX_ABSENT_OBJECTS),
            storing: Mutex::default(),
        }
    }

    /// Records that `object` was read, and calls `store`, unless the principal was refused, or the object was absent,
    /// since the read was sent at `asked`.
    pub(super) fn read(&self, object: ReadObject, asked: Instant, store: impl FnOnce()) {
        let _storing = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_before = |moment: Option<Instant>| moment.is_some_and(|moment| asked <= moment);
        if is_before(self.refused.get(&object.access)) {
            return;
        }
        let is_gone = is_before(self.absent.get(&object.in_vault()));
        let _: Result<(), Infallible> = self.read.get_or_insert_with(&object, || Ok(()));
        if !is_gone {
            store();
        }
    }

    /// Records that the vault refused `object` at `now`, and calls `drop_all` if the principal's cached answers must
    /// go. After that the object counts as never read, until it is read again.
    pub(super) fn refused(
        &self,
        object: &ReadObject,
        refusal: Refusal,
        now: Instant,
        drop_all: impl FnOnce(),
    ) {
        let _storing = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        let has_read = match refusal {
            Refusal::Token => true,
            // The answers that are cached later are newer than this refusal. The next one must not drop them too.
            Refusal::Object => self.read.remove(object).is_some(),
            Refusal::KeptObject => {
                self.read.remove(object);
                true
            }
        };
        if has_read {
            self.refused.insert(object.access.clone(), now);
            drop_all();
        }
    }

    /// Records that the vault did not have `object` at `now`, and calls `drop_all` for what was read of it.
    pub(super) fn absent(&self, object: Option<&ReadObject>, now: Instant, drop_all: impl FnOnce()) {
        let _storing = self.storing.lock().unwrap_or_else(PoisonError::into_inner);
        object.into_iter().for_each(|object| self.absent.insert(object.in_vault(), now));
        drop_all();
    }
}

impl ReadObject {
    fn in_vault(&self) -> VaultObject {
        (self.access.vault.clone(), self.object_type, self.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::*;

    fn object(principal: &str, name: &str) -> ReadObject {
        let principal = Principal::new("https://login.microsoftonline.com/", "t", principal);
        let access = Access { vault: "lab.vault.azure.net".into(), principal };
        ReadObject { access, object_type: ObjectType::Secret, name: Some(name.parse().unwrap()) }
    }

    fn stores(record: &AccessRecord, object: ReadObject, asked: Instant) -> bool {
        let stored = Cell::new(false);
        record.read(object, asked, || stored.set(true));
        stored.get()
    }

    fn drops(record: &AccessRecord, object: &ReadObject, refusal: Refusal, now: Instant) -> bool {
        let dropped = Cell::new(false);
        record.refused(object, refusal, now, || dropped.set(true));
        dropped.get()
    }

    #[test]
    fn a_refusal_of_an_object_that_was_read_drops_all() {
        let (record, now) = (AccessRecord::new(), Instant::now());
        assert!(stores(&record, object("p", "a"), now));
        assert!(!drops(&record, &object("p", "b"), Refusal::Object, now), "it was never read");
        assert!(!drops(&record, &object("q", "a"), Refusal::Object, now), "another principal read it");
        assert!(drops(&record, &object("p", "a"), Refusal::Object, now));
        assert!(drops(&record, &object("q", "a"), Refusal::Token, now), "the token opens no object");
        assert!(drops(&record, &object("r", "a"), Refusal::KeptObject, now), "it was read, though long ago");
    }

    #[test]
    fn a_lasting_403_drops_all_once_and_again_after_the_object_was_read() {
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        for refusal in [Refusal::Object, Refusal::KeptObject] {
            let record = AccessRecord::new();
            assert!(stores(&record, object("p", "a"), begin));
            assert!(drops(&record, &object("p", "a"), refusal, begin));
            assert!(!drops(&record, &object("p", "a"), Refusal::Object, begin + second), "{refusal:?}");
            assert!(stores(&record, object("p", "b"), begin + second), "{refusal:?}");
            assert!(stores(&record, object("p", "a"), begin + 2 * second), "{refusal:?}");
            assert!(drops(&record, &object("p", "a"), Refusal::Object, begin + 3 * second), "{refusal:?}");
        }
    }

    #[test]
    fn a_read_that_was_sent_before_a_refusal_is_not_stored() {
        let (record, begin) = (AccessRecord::new(), Instant::now());
        let second = Duration::from_secs(1);
        assert!(stores(&record, object("p", "a"), begin));
        assert!(drops(&record, &object("p", "a"), Refusal::Object, begin + second));
        assert!(!stores(&record, object("p", "b"), begin));
        assert!(
            !stores(&record, object("p", "b"), begin + second),
            "at the same moment, its order is unknown"
        );
        assert!(stores(&record, object("q", "b"), begin), "another principal was not refused");
        assert!(stores(&record, object("p", "b"), begin + 2 * second));
    }

    #[test]
    fn a_read_that_was_sent_before_its_object_was_gone_is_not_stored() {
        let (record, begin) = (AccessRecord::new(), Instant::now());
        let second = Duration::from_secs(1);
        record.absent(Some(&object("p", "a")), begin + second, || {});
        assert!(!stores(&record, object("p", "a"), begin));
        assert!(!stores(&record, object("q", "a"), begin), "the object is gone for all");
        assert!(stores(&record, object("p", "b"), begin), "another object is there");
        assert!(stores(&record, object("p", "a"), begin + 2 * second), "it was created again");
    }

    #[test]
    fn the_record_is_bounded() {
        let (record, now) = (AccessRecord::new(), Instant::now());
        for number in 0..10_000 {
            let object = object(&number.to_string(), "a");
            stores(&record, object.clone(), now);
            drops(&record, &object, Refusal::Token, now);
        }
        assert!(record.read.len() <= MAX_READ_OBJECTS && record.refused.len() <= MAX_REFUSED_PRINCIPALS);
    }
}

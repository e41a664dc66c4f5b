//! When a list shows that a value is unchanged, and when a list pays. Pure: times and attributes come in as values.

use std::time::Duration;

use azure_core::time::OffsetDateTime;
use tokio::time::Instant;

use crate::spec::object::ObjectType;

use super::super::super::properties::{Lifecycle, Properties};

/// How old a read may be whose value a list confirms. After that the object is read again, whatever lists say.
pub const MAX_UNREAD: Duration = Duration::from_secs(3_600);

/// How much later than the object's last change the vault must have answered a read, by the vault's own clock.
///
/// Key Vault's times have whole seconds, so a second change within one second has the attributes of the first. A second
/// is lost to rounding. The other two are for nodes of the vault whose clocks differ.
const MIN_READ_DELAY: Duration = Duration::from_secs(3);

/// What a list says of an object, as far as it tells one value from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attributes {
    lifecycle: Lifecycle,
    content_type: Option<String>,
}

/// The last read of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRead {
    /// The time of the request, by the node's clock.
    pub asked: Instant,
    /// The time of the answer, by the vault's clock; `None` if the vault did not say.
    pub answered: Option<OffsetDateTime>,
    /// What the answer said of the object.
    pub attributes: Attributes,
}

/// What a republish does for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The value of the last read stands: the vault still has it.
    Stands,
    /// The object is read.
    Read,
}

impl Attributes {
    /// Returns the attributes in an answer about an object, or in a list. Key Vault's lists have content types for
    /// secrets alone.
    pub fn of(object_type: ObjectType, properties: &Properties) -> Self {
        let content_type = match object_type {
            ObjectType::Secret => properties.content_type.clone(),
            ObjectType::Key | ObjectType::Certificate => None,
        };
        Self { lifecycle: properties.lifecycle, content_type }
    }
}

impl LastRead {
    /// Returns what a republish at `now` does for the object, of which the list says `listed`; `None` if the list does
    /// not have it.
    pub fn decide(&self, listed: Option<&Attributes>, now: Instant) -> Decision {
        if self.can_stand(now) && listed == Some(&self.attributes) {
            Decision::Stands
        } else {
            Decision::Read
        }
    }

    /// Returns whether a list could show at `now` that the value is unchanged.
    pub fn can_stand(&self, now: Instant) -> bool {
        let is_recent = now.saturating_duration_since(self.asked) < MAX_UNREAD;
        is_recent
            && match (self.answered, self.attributes.lifecycle.updated) {
                (Some(answered), Some(updated)) => answered - updated > MIN_READ_DELAY,
                _ => false,
            }
    }
}

/// Returns the index of the read to repeat in this round, although its value stands: the oldest. So a lost permission
/// shows, and each object is read in turn.
pub fn turn<'a>(standing: impl IntoIterator<Item = &'a LastRead>) -> Option<usize> {
    let oldest = standing.into_iter().enumerate().min_by_key(|(_, read)| read.asked);
    oldest.map(|(index, _)| index)
}

/// Returns the most pages that a list may have to save requests where `objects` values could stand; zero if no list
/// does. The list and the read of the round must cost less than half of the reads, since some values may have changed.
pub fn page_budget(objects: usize) -> usize {
    (objects.saturating_sub(1) / 2).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = MAX_UNREAD;

    fn at(seconds: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
    }

    fn properties(change: impl FnOnce(&mut Properties)) -> Properties {
        let lifecycle = Lifecycle {
            enabled: Some(true),
            created: Some(at(0)),
            updated: Some(at(100)),
            not_before: Some(at(0)),
            expires: Some(at(9_999)),
        };
        let mut properties =
            Properties { lifecycle, content_type: Some("text/plain".to_owned()), ..Properties::default() };
        change(&mut properties);
        properties
    }

    fn attributes(change: impl FnOnce(&mut Properties)) -> Attributes {
        Attributes::of(ObjectType::Secret, &properties(change))
    }

    fn read(answered: Option<OffsetDateTime>) -> LastRead {
        LastRead { asked: Instant::now(), answered, attributes: attributes(|_| {}) }
    }

    #[test]
    fn a_value_stands_while_each_listed_attribute_equals_that_of_the_read() {
        let read = read(Some(at(200)));
        let decide = |change: fn(&mut Properties)| read.decide(Some(&attributes(change)), read.asked);
        assert_eq!(decide(|_| {}), Decision::Stands);
        let changes: [fn(&mut Properties); 9] = [
            |listed| listed.lifecycle.enabled = Some(false),
            |listed| listed.lifecycle.enabled = None,
            |listed| listed.lifecycle.created = Some(at(1)),
            |listed| listed.lifecycle.updated = Some(at(101)),
            // Set back: an earlier time is a change as well.
            |listed| listed.lifecycle.updated = Some(at(99)),
            |listed| listed.lifecycle.updated = None,
            |listed| listed.lifecycle.not_before = Some(at(1)),
            |listed| listed.lifecycle.expires = None,
            |listed| listed.content_type = None,
        ];
        for (index, change) in changes.into_iter().enumerate() {
            assert_eq!(decide(change), Decision::Read, "change {index}");
        }
        assert_eq!(read.decide(None, read.asked), Decision::Read, "it is not listed");
    }

    #[test]
    fn a_content_type_counts_for_secrets_alone() {
        let other =
            properties(|properties| properties.content_type = Some("application/x-pkcs12".to_owned()));
        for (object_type, are_equal) in
            [(ObjectType::Secret, false), (ObjectType::Key, true), (ObjectType::Certificate, true)]
        {
            let [this, that] = [&properties(|_| {}), &other].map(|of| Attributes::of(object_type, of));
            assert_eq!(this == that, are_equal, "{object_type}");
        }
    }

    #[test]
    fn a_value_that_was_read_within_three_seconds_of_its_change_does_not_stand() {
        for (answered, expected) in [
            (None, Decision::Read),
            (Some(at(0)), Decision::Read),
            (Some(at(100)), Decision::Read),
            (Some(at(103)), Decision::Read),
            (Some(at(104)), Decision::Stands),
        ] {
            let read = read(answered);
            assert_eq!(read.decide(Some(&attributes(|_| {})), read.asked), expected, "{answered:?}");
        }
    }

    #[test]
    fn a_value_without_the_time_of_its_last_change_does_not_stand() {
        let unknown = attributes(|properties| properties.lifecycle.updated = None);
        let read = LastRead { attributes: unknown.clone(), ..read(Some(at(200))) };
        assert_eq!(read.decide(Some(&unknown), read.asked), Decision::Read);
    }

    #[test]
    fn an_object_is_read_an_hour_after_its_last_read() {
        let read = read(Some(at(200)));
        let decide = |now| read.decide(Some(&attributes(|_| {})), now);
        assert_eq!(decide(read.asked + HOUR - Duration::from_millis(1)), Decision::Stands);
        assert_eq!(decide(read.asked + HOUR), Decision::Read);
    }

    #[test]
    fn each_object_has_its_turn() {
        let mut reads = vec![read(Some(at(200))); 3];
        let begin = reads[0].asked;
        let turns: Vec<_> = (1..=6)
            .map(|round| {
                let index = turn(&reads).unwrap();
                reads[index].asked = begin + Duration::from_secs(round);
                index
            })
            .collect();
        assert_eq!(turns, [0, 1, 2, 0, 1, 2]);
        assert_eq!(turn([]), None);
    }

    #[test]
    fn a_list_and_a_read_cost_less_than_half_of_the_reads() {
        for objects in 0..1_000 {
            let most = (1..=1_000).take_while(|pages| 2 * (pages + 1) < objects).last().unwrap_or(0);
            assert_eq!(page_budget(objects), most, "{objects} objects");
        }
    }
}

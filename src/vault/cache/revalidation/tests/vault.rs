//! A vault in played time, whose objects and roles change at random. It remembers all of its states.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use azure_core::{
    error::{Error, ErrorKind},
    http::{RawResponse, headers::Headers},
    time::OffsetDateTime,
};
use fastrand::Rng;
use tokio::time::Instant;

use crate::{
    spec::{principal::Principal, sensitive::Sensitive},
    vault::{
        bundle::SecretBundle,
        error::VaultError,
        list::ListedObject,
        properties::{Lifecycle, Properties},
        request::Request,
    },
};

use super::*;

/// The objects of the vault: two pages of a list.
pub(super) const OBJECTS: usize = 30;

/// A version of a secret. Its value is a number, which another version may have too.
#[derive(Debug, Clone, PartialEq)]
struct Version {
    value: u64,
    lifecycle: Lifecycle,
    content_type: Option<String>,
}

/// A state of an object: its newest version; `None` while it is deleted.
type State = Option<Version>;

#[derive(Clone)]
pub(super) struct Vault {
    inner: Arc<Mutex<Inner>>,
    /// How far lists lag.
    lag: Duration,
    epoch: Instant,
}

struct Inner {
    random: Rng,
    /// The states of each object with the time of their begin, oldest first.
    states: Vec<Vec<(Instant, State)>>,
    deleted: HashMap<usize, Version>,
    last_reads: HashMap<(Principal, Read), Instant>,
    /// The principals without a role, and since when.
    denied: HashMap<Principal, Instant>,
    /// Those that may not list.
    unlisted: HashSet<Principal>,
    next: u64,
    last_changed: usize,
}

/// The requests of one reader to the vault, through the cache.
#[derive(Clone)]
pub(super) struct ToVault {
    vault: Vault,
    from: CacheReader,
}

/// Returns the value in an answer.
pub(super) fn value(bundle: &Bundle) -> u64 {
    let Bundle::Secret(secret) = bundle else { panic!("not a secret") };
    secret.value.expose().parse().unwrap()
}

impl Vault {
    pub(super) fn new(random: Rng, lag: Duration) -> Self {
        let inner = Inner {
            random,
            states: vec![Vec::new(); OBJECTS],
            deleted: HashMap::new(),
            last_reads: HashMap::new(),
            denied: HashMap::new(),
            unlisted: HashSet::new(),
            next: 0,
            last_changed: 0,
        };
        let vault = Self { inner: Arc::new(Mutex::new(inner)), lag, epoch: Instant::now() };
        for object in 0..OBJECTS {
            vault.lock().put(object, vault.now());
        }
        vault
    }

    pub(super) fn requests(&self, from: &CacheReader) -> ToVault {
        ToVault { vault: self.clone(), from: from.clone() }
    }

    /// Returns whether the object had the value at some time since `since`.
    pub(super) fn had(&self, read: &Read, value: u64, since: Instant) -> bool {
        let inner = self.lock();
        let states = &inner.states[number(read)];
        let current = states.iter().rposition(|(begin, _)| *begin <= since).unwrap_or(0);
        states[current..].iter().any(|(_, state)| {
            state
                .as_ref()
                .is_some_and(|version| version.value == value && version.lifecycle.enabled == Some(true))
        })
    }

    /// Returns when the vault last answered a read of the object.
    pub(super) fn last_read(&self, principal: &Principal, read: &Read) -> Instant {
        self.lock().last_reads[&(principal.clone(), read.clone())]
    }

    /// Returns whether the principal had its role at some time since `since`.
    pub(super) fn was_granted(&self, principal: &Principal, since: Instant) -> bool {
        self.lock().denied.get(principal).is_none_or(|denied| *denied >= since)
    }

    /// Changes some objects and roles, several of them within one second.
    pub(super) fn change_at_random(&self) {
        let now = self.now();
        let mut inner = self.lock();
        for _ in 0..inner.random.usize(0..3) {
            inner.change(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Returns the time of the node, and the same time by the vault.
    fn now(&self) -> (Instant, OffsetDateTime) {
        let now = Instant::now();
        (now, OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + (now - self.epoch))
    }

    /// Waits as a request does on its way, during which the vault may change.
    async fn travel(&self) {
        let (millis, changes) = {
            let mut inner = self.lock();
            (inner.random.u64(1..400), inner.random.u8(..) < 48)
        };
        tokio::time::sleep(Duration::from_millis(millis)).await;
        if changes {
            let now = self.now();
            self.lock().change(now);
        }
    }

    async fn answer_read(&self, principal: &Principal, read: &Read) -> Result<Bundle, VaultError> {
        self.travel().await;
        let (now, date) = self.now();
        let answer = {
            let mut inner = self.lock();
            if inner.denied.contains_key(principal) {
                return Err(refused(403, ""));
            }
            let state = inner.states[number(read)].last().and_then(|(_, state)| state.clone());
            inner.last_reads.insert((principal.clone(), read.clone()), now);
            match state {
                None => Err(refused(404, "SecretNotFound")),
                Some(version) if version.lifecycle.enabled != Some(true) => {
                    Err(refused(403, "SecretDisabled"))
                }
                Some(version) => {
                    let date = inner.skewed(date);
                    Ok((version, date))
                }
            }
        };
        self.travel().await;
        let (version, date) = answer?;
        Ok(Bundle::Secret(SecretBundle {
            version: format!("{:032x}", version.value).parse().unwrap(),
            value: Sensitive::new(version.value.to_string()),
            properties: Properties { answered: Some(date), ..version.properties() },
            backs_certificate: None,
        }))
    }

    async fn answer_list(&self, principal: &Principal) -> Result<ObjectList, VaultError> {
        let asked = Instant::now();
        self.travel().await;
        let shown = Instant::now().checked_sub(self.lag).unwrap();
        let objects = {
            let mut inner = self.lock();
            match inner.random.u8(..) {
                0..=4 => return Err(refused(429, "")),
                5..=9 => return Err(refused(503, "")),
                _ if inner.denied.contains_key(principal) || inner.unlisted.contains(principal) => {
                    return Err(refused(403, ""));
                }
                _ => inner.listed(shown),
            }
        };
        self.travel().await;
        Ok(ObjectList { objects, pages: 2, extent: Extent::Whole, asked })
    }
}

impl Inner {
    /// Sets the state of an object from now on.
    fn set(&mut self, object: usize, (now, _): (Instant, OffsetDateTime), state: State) {
        self.states[object].push((now, state));
    }

    /// Returns the time as a node of the vault has it: in whole seconds, by its own clock.
    fn skewed(&mut self, time: OffsetDateTime) -> OffsetDateTime {
        let time = time + Duration::from_millis(self.random.u64(0..2_000));
        time.replace_nanosecond(0).unwrap()
    }

    /// Puts a new version with a new value.
    fn put(&mut self, object: usize, now: (Instant, OffsetDateTime)) {
        self.next += 1;
        self.put_value(object, now, self.next);
    }

    fn put_value(&mut self, object: usize, now: (Instant, OffsetDateTime), value: u64) {
        let created = Some(self.skewed(now.1));
        let lifecycle =
            Lifecycle { enabled: Some(true), created, updated: created, not_before: None, expires: None };
        self.set(object, now, Some(Version { value, lifecycle, content_type: None }));
    }

    /// Returns the object to change next: mostly one that cannot be read, if there is one, so that most mounts succeed.
    fn next(&mut self) -> usize {
        let cannot_be_read = |states: &Vec<(Instant, State)>| match states.last() {
            Some((_, Some(version))) => version.lifecycle.enabled != Some(true),
            _ => true,
        };
        if self.random.u8(..) < 64 {
            // Again, perhaps within the second of its last change, and with a read between the two.
            return self.last_changed;
        }
        let broken = self.states.iter().position(cannot_be_read);
        let any = self.random.usize(0..OBJECTS);
        if self.random.u8(..) < 200 { broken.unwrap_or(any) } else { any }
    }

    /// Changes one object, or a role.
    fn change(&mut self, now: (Instant, OffsetDateTime)) {
        if self.denied.len() + self.unlisted.len() > 0 && self.random.bool() {
            self.denied.clear();
            self.unlisted.clear();
        }
        let object = self.next();
        self.last_changed = object;
        let current = self.states[object].last().and_then(|(_, state)| state.clone());
        let Some(version) = current else {
            // Recovered as it was.
            let deleted = self.deleted.remove(&object);
            return self.set(object, now, deleted);
        };
        match self.random.u8(0..24) {
            _ if version.lifecycle.enabled != Some(true) => self.toggle(object, now, version),
            0..=7 => self.put(object, now),
            8..=11 => {
                // Two within one second.
                self.put(object, now);
                self.put(object, now);
            }
            12..=13 => {
                // Set back to an older value, as a new version.
                let older = self.random.usize(0..self.states[object].len());
                let value = self.states[object][older].1.as_ref().map_or(0, |older| older.value);
                self.put_value(object, now, value);
            }
            14 => {
                // Purged, and restored from a backup: an older version with all of its attributes. No backup is made
                // between two changes within one second.
                let older = self.random.usize(0..self.states[object].len());
                let older = self.states[object][older].1.clone();
                let is_another = |other: &Version| {
                    older
                        .as_ref()
                        .is_some_and(|older| older.lifecycle == other.lifecycle && older.value != other.value)
                };
                let is_unique =
                    !self.states[object].iter().filter_map(|(_, state)| state.as_ref()).any(is_another);
                if older.is_some() && is_unique {
                    self.set(object, now, older);
                }
            }
            15..=16 => self.toggle(object, now, version),
            17..=18 => {
                let updated = Some(self.skewed(now.1));
                let lifecycle = Lifecycle { expires: updated, updated, ..version.lifecycle };
                let content_type = Some("text/plain".to_owned());
                self.set(object, now, Some(Version { lifecycle, content_type, ..version }));
            }
            19 => {
                self.deleted.insert(object, version);
                self.set(object, now, None);
            }
            20..=21 => self.change_roles(now.0),
            _ => {}
        }
    }

    /// Disables a version, or enables it.
    fn toggle(&mut self, object: usize, now: (Instant, OffsetDateTime), version: Version) {
        let updated = Some(self.skewed(now.1));
        let enabled = version.lifecycle.enabled.map(|enabled| !enabled);
        let lifecycle = Lifecycle { enabled, updated, ..version.lifecycle };
        self.set(object, now, Some(Version { lifecycle, ..version }));
    }

    fn change_roles(&mut self, now: Instant) {
        let name = if self.random.bool() { "p" } else { "q" };
        let principal = Principal::new("https://login.microsoftonline.com/", "t", name);
        match self.random.u8(0..8) {
            0 => {
                self.unlisted.insert(principal);
            }
            1..=2 => {
                self.denied.insert(principal, now);
            }
            _ => {}
        }
    }

    /// Returns the objects as a list shows them that has the states of the time `shown`.
    fn listed(&self, shown: Instant) -> Vec<ListedObject> {
        let state = |states: &Vec<(Instant, State)>| {
            states.iter().rfind(|(begin, _)| *begin <= shown).and_then(|(_, state)| state.clone())
        };
        let objects = self.states.iter().enumerate();
        objects
            .filter_map(|(number, states)| {
                Some(ListedObject { name: super::read(number).name, properties: state(states)?.properties() })
            })
            .collect()
    }
}

impl Version {
    fn properties(&self) -> Properties {
        let (lifecycle, content_type) = (self.lifecycle, self.content_type.clone());
        Properties { lifecycle, content_type, ..Properties::default() }
    }
}

impl ToVault {
    fn principal(&self) -> Principal {
        self.from.reader.principal.clone().unwrap()
    }
}

impl Requests for ToVault {
    fn get(&self, read: &Read) -> Answer<Bundle> {
        let CacheReader { cache, vault, reader } = &self.from;
        let (principal, asked) = (self.principal(), read.clone());
        let to = self.vault.clone();
        let request = Request::Object(read.clone());
        cache
            .answer(vault, reader, &request, |queued| async move {
                queued.mark_sent();
                to.answer_read(&principal, &asked).await
            })
            .0
    }

    fn list(&self, list: List) -> Answer<ObjectList> {
        let CacheReader { cache, vault, reader } = &self.from;
        let (principal, to) = (self.principal(), self.vault.clone());
        cache
            .answer(vault, reader, &Request::List(list), |queued| async move {
                queued.mark_sent();
                to.answer_list(&principal).await
            })
            .0
    }
}

fn number(read: &Read) -> usize {
    read.name.as_str().strip_prefix("s-").unwrap().parse().unwrap()
}

/// Returns the error of an answer with this status and inner code.
fn refused(status: u16, inner: &str) -> VaultError {
    let body = format!(r#"{{"error":{{"code":"E","message":"m","innererror":{{"code":"{inner}"}}}}}}"#);
    let raw = RawResponse::from_bytes(status.into(), Headers::new(), body);
    let kind = ErrorKind::HttpResponse {
        status: status.into(),
        error_code: None,
        raw_response: Some(Box::new(raw)),
    };
    Error::with_message(kind, "refused").into()
}

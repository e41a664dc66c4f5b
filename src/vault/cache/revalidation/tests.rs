//! A thousand rounds of republishes against a vault that changes at random, in played time.

mod vault;

use std::{collections::HashMap, sync::Arc, time::Duration};

use fastrand::Rng;
use futures::future::join_all;
use tokio::time::Instant;

use crate::{
    metrics::Metrics,
    spec::{mount_kind::MountKind, object::ObjectType, principal::Principal},
};

use super::{
    super::{CacheSettings, RepublishCheck},
    *,
};

use self::vault::{OBJECTS, Vault};

const ROUNDS: usize = 1_000;

/// The seed, the lag of lists and the maximum age of values, in seconds. With equal numbers a run is the same.
const RUNS: [(u64, u64, u64); 6] = [(1, 0, 60), (2, 5, 60), (3, 5, 0), (4, 2, 300), (5, 0, 0), (6, 1, 60)];

/// A read in flight is joined for this long.
const MAX_SHARED_AGE: Duration = Duration::from_secs(1);

/// A volume: its principal, and its objects.
struct Volume {
    from: CacheReader,
    reads: Vec<Read>,
}

/// What happened, for the assertion that the rounds played all that they are meant to play.
#[derive(Debug, Default)]
struct Tally {
    mounts: usize,
    /// Mounts with an object that could not be read.
    failed: usize,
    /// Values that mounts got.
    values: usize,
    /// Values that stood by a list.
    stood: usize,
}

fn read(number: usize) -> Read {
    Read { object_type: ObjectType::Secret, name: format!("s-{number}").parse().unwrap(), version: None }
}

fn volumes(cache: &Arc<ReadCache>, random: &mut Rng) -> Vec<Volume> {
    let volume = |(principal, objects): (&str, Vec<usize>)| Volume {
        from: CacheReader {
            cache: cache.clone(),
            vault: "lab.vault.azure.net".into(),
            reader: Reader {
                principal: Some(Principal::new("https://login.microsoftonline.com/", "t", principal)),
                kind: MountKind::Republish,
                namespace: "shop".into(),
                began: Instant::now(),
                renewed: None,
            },
        },
        reads: objects.into_iter().map(read).collect(),
    };
    let all: Vec<usize> = (0..OBJECTS).collect();
    let mut some = || {
        let mut some = all.clone();
        random.shuffle(&mut some);
        some.truncate(10);
        some
    };
    [("p", all.clone()), ("p", some()), ("p", some()), ("q", all.clone()), ("q", some())].map(volume).into()
}

/// Serves one republish as a mount does, and returns the value of each object.
async fn republish(volume: &Volume, vault: &Vault) -> (Instant, HashMap<Read, Option<u64>>, usize) {
    let began = Instant::now();
    let reader = Reader { began, ..volume.from.reader.clone() };
    let from = CacheReader { reader, ..volume.from.clone() };
    let requests = vault.requests(&from);
    let round = Round::begin(&from, &volume.reads, Duration::from_secs(15), &requests).await;
    let answers = volume.reads.iter().map(|read| async {
        let answer = round.answer(&from, read, &requests).unwrap_or_else(|| requests.get(read));
        let value = answer.await.ok().map(|bundle| vault::value(&bundle));
        (read.clone(), value)
    });
    let answers = join_all(answers).await.into_iter().collect();
    (began, answers, round.0.len())
}

/// Plays the rounds of one run.
async fn play((seed, lag, max_age): (u64, u64, u64)) -> Tally {
    let mut random = Rng::with_seed(seed);
    let [lag, max_age] = [lag, max_age].map(Duration::from_secs);
    let settings = CacheSettings {
        republish_max_age: max_age,
        object_cache_ttl: Duration::ZERO,
        republish_check: RepublishCheck::List,
    };
    let cache = Arc::new(ReadCache::new(settings, Metrics::new(false)));
    let vault = Vault::new(Rng::with_seed(seed + 1_000_000), lag);
    let volumes = volumes(&cache, &mut random);
    let mut tally = Tally::default();
    for round in 0..ROUNDS {
        // Short waits too, so that lists and values are shared, and now and then more than an hour.
        let wait = if random.u8(..) == 0 { 4_000_000 } else { random.u64(0..120_000) };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        vault.change_at_random();
        if random.u8(..) < 64 {
            cache.evict_expired();
        }
        // Alone, or two at the same moment.
        let mounted: Vec<_> =
            (0..random.usize(1..=2)).map(|_| random.choice(&volumes).expect("there are some")).collect();
        let results = join_all(mounted.iter().map(|volume| republish(volume, &vault))).await;
        for (volume, (began, values, stood)) in mounted.into_iter().zip(results) {
            tally.stood += stood;
            tally.mounts += 1;
            tally.failed += usize::from(values.values().any(Option::is_none));
            let principal = volume.from.reader.principal.as_ref().expect("each has one");
            let since = began - max_age - lag - MAX_SHARED_AGE;
            // Also those of a mount that fails because of another object.
            let served: Vec<_> =
                values.into_iter().filter_map(|(read, value)| Some((read, value?))).collect();
            if !served.is_empty() {
                assert!(vault.was_granted(principal, since), "seed {seed}, round {round}: refused for long");
            }
            tally.values += served.len();
            for (read, value) in served {
                let context = format!("seed {seed}, round {round}, {read}");
                assert!(vault.had(&read, value, since), "{context}: an older value than the rule allows");
                let unread = Instant::now() - vault.last_read(principal, &read);
                assert!(unread <= MAX_UNREAD + MAX_SHARED_AGE, "{context}: last read {unread:?} ago");
            }
        }
    }
    println!("seed {seed}, lag {lag:?}, maximum age {max_age:?}: {ROUNDS} rounds, {tally:?}");
    tally
}

#[tokio::test(start_paused = true)]
async fn no_republish_serves_an_older_value_than_the_rule_allows() {
    // Room for times before the first round.
    tokio::time::advance(Duration::from_secs(10_000)).await;
    for run in RUNS {
        let tally = play(run).await;
        // The run played what it is meant to play.
        assert!(tally.mounts - tally.failed > 500 && tally.failed > 30 && tally.stood > 3_000, "{tally:?}");
    }
}

//! Tests of the choice of objects, without a vault.

use std::collections::BTreeMap;

use crate::{
    spec::{
        absence::IfAbsent,
        find::{Conditions, FoundShape, NameCondition},
        output::{Alias, Output, Outputs, Part, SecretOutput, Store, StoreProfile},
        rendering::{Rendering, SecretEncoding, SecretFormat},
        rewrite::Rewrite,
    },
    vault::{Lifecycle, Properties},
};

use crate::{metrics::Metrics, mount::memory::VolumeMemory};

use super::*;

const SECRET: Rendering = Rendering::Secret { format: SecretFormat::Pem, encoding: SecretEncoding::Utf8 };

fn listed(names: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<ListedObject> {
    let object = |name: &str| ListedObject { name: name.parse().unwrap(), properties: Properties::default() };
    names.into_iter().map(|name| object(name.as_ref())).collect()
}

fn list(objects: Vec<ListedObject>) -> Arc<ObjectList> {
    Arc::new(ObjectList { objects, pages: 1, extent: Extent::Whole, asked: tokio::time::Instant::now() })
}

fn find(entry: usize, position: usize, glob: &str) -> FindSpec {
    let name = Some(NameCondition::Glob(glob.parse().unwrap()));
    FindSpec {
        entry,
        position,
        vault: None,
        conditions: Conditions { name, ..Conditions::default() },
        rewrites: Vec::new(),
        directory: None,
        shape: FoundShape::File { rendering: SECRET, mode: None },
        presence: Presence::Required,
    }
}

fn named(name: &str) -> ObjectSpec {
    fetch::size::tests::object(name, IfAbsent::Fail)
}

fn room(largest_volume: usize) -> Room {
    let memory = VolumeMemory::new(0, largest_volume, Metrics::new(false));
    Room { memory: memory.of_mount("shop"), largest_volume }
}

fn chosen(named: &[ObjectSpec], finds: &[FindSpec], lists: &[Arc<ObjectList>]) -> Result<String, String> {
    match choose(named, finds, lists, &room(4 << 20), || false) {
        Ok(objects) => {
            let names: Vec<_> = objects.iter().map(|object| object.name.to_string()).collect();
            Ok(names.join(" "))
        }
        Err(NotChosen::Failures(failures)) => {
            let all: Vec<_> =
                failures.iter().map(|failure| format!("{}: {}", failure.object, failure.error)).collect();
            Err(all.join("; "))
        }
        Err(other) => Err(format!("{other:?}")),
    }
}

#[test]
fn found_objects_are_sorted_and_stand_between_their_neighbours() {
    let list = list(listed(["b-2", "B-1", "a", "b-10", "A-0"]));
    let (first, last) = (named("first"), named("last"));
    let finds = [find(1, 1, "b*"), find(3, 2, "a*")];
    let found = chosen(&[first, last], &finds, &[list.clone(), list]);
    assert_eq!(found.as_deref(), Ok("first B-1 b-10 b-2 last a A-0"));
}

#[test]
fn disabled_and_named_objects_are_not_found() {
    let mut objects = listed(["a", "Named", "off", "z"]);
    objects[2].properties.lifecycle = Lifecycle { enabled: Some(false), ..Lifecycle::default() };
    let list = list(objects);
    let finds = [find(0, 0, "*")];
    assert_eq!(chosen(&[named("nAMED")], &finds, std::slice::from_ref(&list)).as_deref(), Ok("a z nAMED"));
    let elsewhere = ObjectSpec { vault: Some("other".parse().unwrap()), ..named("a") };
    assert_eq!(chosen(&[elsewhere], &finds, &[list]).as_deref(), Ok("a Named z a"), "it is of another vault");
}

#[test]
fn an_object_of_two_finds_counts_once() {
    let names: Vec<String> = (0..MAX_FOUND).map(|number| format!("s-{number}")).collect();
    let list = list(listed(&names));
    let finds = [find(0, 0, "*"), find(1, 0, "s-*")];
    let found = chosen(&[], &finds, &[list.clone(), list]).unwrap();
    assert_eq!(found.split(' ').count(), 2 * MAX_FOUND);
}

#[test]
fn what_is_found_is_bounded() {
    let names: Vec<String> = (0..=MAX_FOUND).map(|number| format!("s-{number}")).collect();
    let all = list(listed(&names));
    let error = chosen(&[], &[find(2, 0, "*")], &[all]).unwrap_err();
    assert_eq!(error, "secret/* (objects[2]): the class finds more than 250 objects");

    let beginning = ObjectList {
        objects: Vec::new(),
        pages: 100,
        extent: Extent::Beginning,
        asked: tokio::time::Instant::now(),
    };
    let optional = FindSpec { presence: Presence::Optional, ..find(0, 0, "*") };
    let error = chosen(&[], &[optional], &[Arc::new(beginning)]).unwrap_err();
    assert!(error.contains("more than 2500 objects of type secret"), "{error}");
}

#[test]
fn stores_of_found_objects_are_bounded() {
    let store = Store { alias: Alias::default(), profile: StoreProfile::default(), password: None };
    let output = |path: &str| Output {
        path: path.parse().unwrap(),
        mode: None,
        presence: Presence::Required,
        content: SecretOutput::Part(Part::Keystore(store.clone())),
    };
    let items = vec![output("a.p12"), output("b.p12")];
    let outputs = Outputs::Secret { items, source_password: None };
    let find = FindSpec { shape: FoundShape::Outputs(outputs), ..find(0, 0, "*") };
    let all = |count: usize| list(listed((0..count).map(|number| format!("s-{number}"))));
    assert!(chosen(&[], std::slice::from_ref(&find), &[all(MAX_STORES / 2)]).is_ok());
    let error = chosen(&[], &[find], &[all(MAX_STORES / 2 + 1)]).unwrap_err();
    assert!(error.contains("more than 200 PKCS#12 stores"), "{error}");
}

/// Returns 20 finds, each with 20 outputs for every object, in a directory with a long path.
fn finds_with_long_paths() -> Vec<FindSpec> {
    let output = |index: usize| Output {
        path: index.to_string().parse().unwrap(),
        mode: None,
        presence: Presence::Optional,
        content: SecretOutput::Metadata,
    };
    let items: Vec<_> = (0..20).map(output).collect();
    let find = |entry: usize| FindSpec {
        directory: Some(format!("{entry}/{}", "d/".repeat(900)).trim_end_matches('/').parse().unwrap()),
        shape: FoundShape::Outputs(Outputs::Secret { items: items.clone(), source_password: None }),
        ..find(entry, 0, "*")
    };
    (0..20).map(find).collect()
}

#[test]
fn more_names_of_found_objects_than_fit_into_a_volume_are_refused() {
    let list = list(listed((0..MAX_FOUND).map(|number| format!("s-{number}"))));
    let finds = finds_with_long_paths();
    let lists = vec![list; finds.len()];
    let Err(NotChosen::TooLarge(TooLarge { size, .. })) =
        choose(&[], &finds, &lists, &room(4 << 20), || false)
    else {
        panic!("210 MB of names are chosen");
    };
    assert!(((4 << 20)..(4 << 20) + 50_000).contains(&size), "{size} bytes are counted before the end");
}

#[test]
fn long_names_of_found_objects_wait_for_memory_like_large_volumes() {
    let all = VolumeMemory::new(0, 4 << 20, Metrics::new(false));
    let other = all.of_mount("shop");
    other.hold(1 << 20).unwrap();
    let list = list(listed((0..10).map(|number| format!("s-{number}"))));
    let room = Room { memory: all.of_mount("shop"), largest_volume: 4 << 20 };
    let finds = &finds_with_long_paths()[..1];
    let choose = || choose(&[], finds, std::slice::from_ref(&list), &room, || false);
    assert!(matches!(choose(), Err(NotChosen::NoPermit)));
    drop(other);
    assert_eq!(choose().unwrap().len(), 10);
}

/// Returns a list of about a megabyte.
fn large_list() -> Listed {
    let mut objects = listed((0..250).map(|number| format!("s-{number}")));
    for object in &mut objects {
        object.properties.tags = BTreeMap::from([("t".to_owned(), "x".repeat(4_000))]);
    }
    Ok(list(objects))
}

#[test]
fn lists_of_one_mount_are_bounded_together_and_shared_ones_count_once() {
    let room = room(1 << 20);
    let mut held = Held { room: &room, bytes: 0, lists: HashSet::new() };
    let list = large_list();
    assert!((0..20).all(|index| held.add(index, &list).is_ok()));
    let lists: Vec<_> = (0..20).map(|_| large_list()).collect();
    let refused = lists.iter().enumerate().find_map(|(index, list)| held.add(index, list).err());
    assert!(matches!(refused, Some(NotListed::TooLarge(1..=4))), "{refused:?}");
}

#[test]
fn long_lists_wait_for_memory_like_large_volumes() {
    let all = VolumeMemory::new(0, 4 << 20, Metrics::new(false));
    let other = all.of_mount("shop");
    other.hold(1 << 20).unwrap();
    let room = Room { memory: all.of_mount("shop"), largest_volume: 4 << 20 };
    let mut held = Held { room: &room, bytes: 0, lists: HashSet::new() };
    let short = Ok(list(listed((0..200).map(|number| format!("s-{number}")))));
    assert!(held.add(0, &short).is_ok(), "a list of 200 objects needs no permit");
    assert!(matches!(held.add(1, &large_list()), Err(NotListed::NoPermit)));
}

#[test]
fn every_find_that_fails_is_named() {
    let list = list(listed(["a", "b"]));
    let mut up = find(1, 0, "*");
    up.rewrites = vec![Rewrite::new("^".parse().unwrap(), "../".parse().unwrap()).unwrap()];
    let error = chosen(&[], &[find(0, 0, "x*"), up], &[list.clone(), list.clone()]).unwrap_err();
    let expected = [
        "secret/* (objects[0]): no enabled object meets the conditions of find",
        "secret/a: its path \"../a\" must not contain \"..\"; change rewrite or objectAlias",
        "secret/b: its path \"../b\" must not contain \"..\"; change rewrite or objectAlias",
    ];
    assert_eq!(error, expected.join("; "));
    let optional = FindSpec { presence: Presence::Optional, ..find(0, 0, "x*") };
    assert_eq!(chosen(&[], &[optional], &[list]).as_deref(), Ok(""));
}

#[test]
fn a_dropped_mount_compares_no_further_names() {
    let list = list(listed(["a"]));
    assert!(matches!(
        choose(&[], &[find(0, 0, "*")], &[list], &room(4 << 20), || true),
        Err(NotChosen::Abandoned)
    ));
}

#[test]
fn tags_and_content_type_are_those_of_the_list() {
    let mut objects = listed(["a", "b"]);
    objects[1].properties.tags = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    objects[1].properties.content_type = Some("text/plain".to_owned());
    let list = list(objects);
    let mut tagged = find(0, 0, "*");
    tagged.conditions.tags = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    tagged.conditions.content_type = Some("TEXT/plain".to_owned());
    assert_eq!(chosen(&[], &[tagged], &[list]).as_deref(), Ok("b"));
}

#[test]
fn patterns_that_work_for_minutes_are_refused_after_a_second() {
    let names = (0..2_490).map(|number| format!("{number:0>127}"));
    let many = list(listed(names));
    let hostile = |entry| {
        let regexp = "([a-z0-9]?[a-z0-9]?){80}Z$".parse().unwrap();
        let name = Some(NameCondition::Regexp(regexp));
        FindSpec { conditions: Conditions { name, ..Conditions::default() }, ..find(entry, 0, "*") }
    };
    let finds: Vec<_> = (0..20).map(hostile).collect();
    let error = chosen(&[], &finds, &vec![many.clone(); 20]).unwrap_err();
    let reason = "its patterns, with those of the entries before, are too complex for so many names; write simpler ones";
    assert_eq!(error, format!("secret/* (objects[0]): {reason}"));

    let usual = |entry| {
        let regexp = r"^(shop|cart)-[a-z]+\d{2,4}-(prod|test)$".parse().unwrap();
        let name = Some(NameCondition::Regexp(regexp));
        let conditions = Conditions { name, ..Conditions::default() };
        FindSpec { conditions, presence: Presence::Optional, ..find(entry, 0, "*") }
    };
    let finds: Vec<_> = (0..20).map(usual).collect();
    let many = list(listed((0..2_490).map(|number| format!("shop-database-primary-password-{number}"))));
    assert_eq!(chosen(&[], &finds, &vec![many; 20]), Ok(String::new()));
}

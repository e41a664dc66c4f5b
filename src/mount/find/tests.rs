//! Tests of the choice of objects, without a vault.

use std::collections::BTreeMap;

use crate::{
    spec::{
        absence::IfAbsent,
        find::{Conditions, FoundShape, NameCondition},
        object::{Origin, VersionSelector},
        output::{Alias, Output, Outputs, Part, SecretOutput, Store, StoreProfile},
        rendering::{Rendering, SecretEncoding, SecretFormat},
        rewrite::Rewrite,
        shape::{FileShape, Shape},
    },
    vault::{Lifecycle, Properties},
};

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
    let path = "named".parse().unwrap();
    let file = FileShape { rendering: SECRET, path, mode: None, if_absent: IfAbsent::Fail };
    ObjectSpec {
        vault: None,
        name: name.parse().unwrap(),
        versions: VersionSelector::Newest,
        shape: Shape::File(file),
        origin: Origin::Named,
    }
}

fn chosen(named: &[ObjectSpec], finds: &[FindSpec], lists: &[Arc<ObjectList>]) -> Result<String, String> {
    match choose(named, finds, lists, || false) {
        Ok(objects) => {
            let names: Vec<_> = objects.iter().map(|object| object.name.to_string()).collect();
            Ok(names.join(" "))
        }
        Err(NotChosen::Failures(failures)) => {
            let all: Vec<_> =
                failures.iter().map(|failure| format!("{}: {}", failure.object, failure.error)).collect();
            Err(all.join("; "))
        }
        Err(NotChosen::Abandoned) => Err("abandoned".to_owned()),
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
    assert!(matches!(choose(&[], &[find(0, 0, "*")], &[list], || true), Err(NotChosen::Abandoned)));
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

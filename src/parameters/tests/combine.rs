//! Tests of `combine`.

use crate::{
    content::combined,
    spec::{
        absence::{IfAbsent, Presence},
        combine::{CombineFormat, CombineItem},
        object::{ObjectSpec, VersionSelector},
        shape::Shape,
    },
};

use super::*;

fn objects(yaml: &str) -> Result<Vec<ObjectSpec>, ParametersError> {
    mount(&[("objects", Some(yaml))]).map(|spec| spec.objects.to_vec())
}

fn problems(yaml: &str) -> Vec<String> {
    objects(yaml).unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn item(object: &ObjectSpec) -> &CombineItem {
    match &object.shape {
        Shape::Item(item) => item,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_becomes_one_object_for_each_item() {
    let block = "array:\n- |\n  objectAlias: conf/app.env\n  keyvaultName: lab2\n  filePermission: 0400\n  optional: 'true'\n  combine:\n    \
                 format: DotEnv\n    items:\n    - key: A\n      objectName: db\n      jmesPath: user.name\n    - key: _b\n      \
                 objectName: api\n      objectVersion: v1\n      default: ''\n";
    let flow = "- {objectAlias: conf/app.env, keyvaultName: lab2, filePermission: 0400, optional: true, combine: {format: dotenv, items: [{key: A, \
                objectName: db, jmesPath: user.name}, {key: _b, objectName: api, objectVersion: v1, default: ''}]}}";
    let objects = objects(block).unwrap();
    assert_eq!(objects, self::objects(flow).unwrap());
    assert_eq!(
        objects.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["lab2/secret/db", "lab2/secret/api"]
    );
    let [first, second] = [&objects[0], &objects[1]].map(item);
    assert_eq!(first.file, second.file);
    let file = &first.file;
    assert_eq!((file.path.as_str(), file.format, file.items), ("conf/app.env", CombineFormat::Dotenv, 2));
    assert_eq!((file.mode.map(|mode| mode.bits()), file.presence), (Some(0o400), Presence::Optional));
    assert_eq!(first.part.as_ref().map(|part| part.as_str()), Some("user.name"));
    assert_eq!((first.is_last(), second.is_last()), (false, true));
    assert!(objects.iter().all(|object| object.vault.as_ref().is_some_and(|vault| vault.as_str() == "lab2")));
    assert_eq!(first.if_absent, IfAbsent::Fail);
    assert!(matches!(second.if_absent, IfAbsent::Write(_)));
    assert_eq!(objects[1].versions, VersionSelector::Pinned("v1".parse().unwrap()));
}

#[test]
fn all_mistakes_of_an_entry_come_together() {
    let entry = "- {objectName: db, objectType: secret, objectFormat: pem, default: x, combine: {fromat: json, items: [{key: a, \
                 objectName: d_b}, {kye: a, objectName: db}, null, x, {key: a, objectName: db, jmesPath: 'a[*]', default: x, \
                 optional: false}]}}";
    assert_eq!(
        problems(entry),
        [
            "objects[0].objectName (db): is not for an entry with combine; set it in its items",
            "objects[0].objectType (db): is not for an entry with combine; its items are secrets",
            "objects[0].objectFormat (db): is not for an entry with combine; write an entry of its own",
            "objects[0].default (db): is not for an entry with combine; set it in its items",
            "objects[0].objectAlias (db): is not set",
            "objects[0].combine.fromat (db): is an unknown field; did you mean format?",
            "objects[0].combine.format (db): is not set",
            "objects[0].combine.items[0].objectName: \"d_b\" must be 1 to 127 letters, digits and dashes",
            "objects[0].combine.items[1].kye (db): is an unknown field; did you mean key?",
            "objects[0].combine.items[1].key (db): is not set",
            "objects[0].combine.items[2] (db): is empty; an item looks like {key: DB_PASSWORD, objectName: db-password}",
            "objects[0].combine.items[3] (db): is a text, not a map; an item looks like {key: DB_PASSWORD, objectName: \
             db-password}",
            "objects[0].combine.items[4].jmesPath (db): \"a[*]\" is not supported; use names, quoted names and indexes, such as \
             a.b, \"a key\".b or a[0]",
            "objects[0].combine.items[4].default (db): makes it optional; leave out optional: false, or the default",
        ]
    );
}

#[test]
fn keys_differ_and_fit_their_format() {
    let entry = |format: &str, first: &str, second: &str| {
        format!(
            "- {{objectAlias: f, combine: {{format: {format}, items: [{{key: {first:?}, objectName: db}}, {{key: {second:?}, \
             objectName: db}}]}}}}"
        )
    };
    assert_eq!(
        problems(&entry("json", "a", "a")),
        ["objects[0].combine.items[1].key (db): is also the key of items[0]; set another key"]
    );
    for format in ["json", "yaml", "properties"] {
        assert!(objects(&entry(format, "1A", "a b.ä")).is_ok(), "{format}");
    }
    let reason = "is not the name of a shell variable; use letters, digits and _, and no digit in front";
    assert_eq!(
        problems(&entry("dotenv", "1A", "A-B")),
        [
            format!("objects[0].combine.items[0].key (db): \"1A\" {reason}"),
            format!("objects[0].combine.items[1].key (db): \"A-B\" {reason}"),
        ]
    );
}

/// It once came into the file, where a shell ends the value.
#[test]
fn a_default_with_a_nul_is_refused_where_a_value_with_a_nul_is() {
    for format in ["dotenv", "DotEnv", "properties", "json", "yaml"] {
        let entry = format!(
            "- {{objectAlias: f, combine: {{format: {format}, items: [{{key: K, objectName: db, default: \"canary\\0\"}}]}}}}"
        );
        match combined::check(format.parse().unwrap(), "canary\0") {
            Ok(()) => assert!(objects(&entry).is_ok(), "{format}"),
            Err(_) => assert_eq!(
                problems(&entry),
                [
                    "objects[0].combine.items[0].default (db): holds a NUL character, which no variable of a shell can hold; \
                     use another format"
                ]
            ),
        }
    }
    // Each mistake of an item is reported.
    let two = "- {objectAlias: f, combine: {format: dotenv, items: [{key: A-B, objectName: db, default: \"\\0\"}]}}";
    assert_eq!(problems(two).len(), 2);
}

#[test]
fn a_key_that_is_there_twice_is_reported_beside_other_mistakes() {
    let entry = "- {objectAlias: f, combine: {format: json, items: [{key: a, objectName: d_b}, {key: a, objectName: \
                 db, jmesPath: '*'}]}}";
    let found = problems(entry);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(
        found[2],
        "objects[0].combine.items[1].key (db): is also the key of items[0]; set another key"
    );
}

#[test]
fn items_are_bounded_in_number() {
    let items = |count: usize| {
        let items: Vec<_> = (0..count).map(|index| format!("{{key: k{index}, objectName: db}}")).collect();
        format!("- {{objectAlias: f, combine: {{format: json, items: [{}]}}}}", items.join(", "))
    };
    assert_eq!(objects(&items(200)).unwrap().len(), 200);
    for count in [0, 201] {
        let expected = format!("objects[0].combine.items: has {count} items; a file has 1 to 200");
        assert_eq!(problems(&items(count)), [expected]);
    }
    // All items together are objects of the mount.
    let entries = |count: usize| {
        let entry = |index| items(200).replace("objectAlias: f", &format!("objectAlias: f{index}"));
        (0..count).map(entry).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(objects(&entries(20)).unwrap().len(), 4_000);
    assert_eq!(
        problems(&entries(21)),
        ["objects: names 4200 objects, more than the 4000 that one mount may have"]
    );
}

#[test]
fn a_combined_file_has_a_path_of_its_own() {
    let file = "- {objectAlias: a/b, combine: {format: json, items: [{key: k, objectName: db}, {key: l, objectName: db}]}}";
    let other = file.replace("key: l", "key: m");
    assert_eq!(objects(&format!("{file}\n{file}")).unwrap().len(), 4, "an entry may be there twice");
    assert_eq!(
        problems(&format!("{file}\n{other}\n- {{objectName: c, objectType: secret, objectAlias: a/b/c}}")),
        [
            "objects[1]: its path \"a/b\" is the same as that of objects[0]; set another objectAlias",
            "objects[2] (c): its path \"a/b/c\" is inside that of objects[0]; set another objectAlias",
        ]
    );
    for (value, kind) in [("x", "a text"), ("[]", "a list")] {
        let found = problems(&format!("- {{objectAlias: f, combine: {value}}}"));
        assert!(found[0].starts_with(&format!("objects[0].combine: is {kind}, not a map; ")), "{found:?}");
    }
}

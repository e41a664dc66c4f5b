//! Tests of the `objects` parameter.

use crate::spec::{
    object::{ObjectSpec, VersionSelector},
    rendering::{Rendering, SecretEncoding, SecretFormat},
    shape::FileShape,
};

use super::*;

fn objects(yaml: &str) -> Result<Vec<ObjectSpec>, ParametersError> {
    mount(&[("objects", Some(yaml))]).map(|spec| spec.objects.to_vec())
}

fn file(object: &ObjectSpec) -> &FileShape {
    object.shape.as_file().unwrap()
}

#[test]
fn objects_are_written_in_many_ways() {
    for (label, yaml) in [
        ("text items", ONE_SECRET),
        ("maps", "array:\n  - objectName: db-password\n    objectType: secret\n"),
        ("a bare list", "- objectName: db-password\n  objectType: secret\n"),
        ("a bare list of texts", "- |\n  objectName: db-password\n  objectType: secret\n"),
        ("JSON items", "array:\n  - '{\"objectName\":\"db-password\",\"objectType\":\"secret\"}'\n"),
        ("JSON", r#"{"array":[{"objectName":"db-password","objectType":"secret"}]}"#),
        ("CRLF", "array:\r\n  - |\r\n    objectName: db-password\r\n    objectType: secret\r\n"),
        (
            "comments",
            "array: # the list\n  - |- # one\n    objectName: db-password # name\n    objectType: secret\n",
        ),
        (
            "nulls",
            "array:\n- |\n  objectName: db-password\n  objectType: secret\n  objectVersion:\n  objectAlias: ~\n",
        ),
        (
            "unknown fields",
            "other: 1\narray:\n- |\n  objectName: db-password\n  objectType: secret\n  colour: blue\n",
        ),
        (
            "spaces",
            "array:\n- |\n  objectName: '  db-password '\n  objectType: ' secret '\n  objectAlias: '  '\n",
        ),
        ("a document marker", "---\narray:\n- |\n  ---\n  objectName: db-password\n  objectType: secret\n"),
    ] {
        let objects = objects(yaml).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(objects, *mount(&[]).unwrap().objects, "{label}");
    }
}

#[test]
fn scalars_of_any_kind_keep_their_text() {
    for item in [
        "array:\n- |\n  objectName: 12345\n  objectType: secret\n  objectVersion: 1e3\n  filePermission: 0600\n",
        "- objectName: 12345\n  objectType: secret\n  objectVersion: 1e3\n  filePermission: 0600\n",
    ] {
        let objects = objects(item).unwrap();
        assert_eq!(objects[0].name.as_str(), "12345");
        assert_eq!(objects[0].versions, VersionSelector::Pinned("1e3".parse().unwrap()));
        assert_eq!(file(&objects[0]).mode.unwrap().bits(), 0o600);
    }
}

#[test]
fn fields_of_an_object_are_understood() {
    let fields = |extra: &str| {
        objects(&format!("array:\n- |\n  objectName: a\n  objectType: secret\n  {extra}\n"))
            .unwrap()
            .remove(0)
    };
    let rendering = |format, encoding| Rendering::Secret { format, encoding };
    assert_eq!(file(&fields("objectAlias: tls/server.pem")).path.as_str(), "tls/server.pem");
    assert_eq!(
        file(&fields("objectFormat: PFX")).rendering,
        rendering(SecretFormat::Pfx, SecretEncoding::Utf8)
    );
    assert_eq!(
        file(&fields("objectEncoding: Hex")).rendering,
        rendering(SecretFormat::Pem, SecretEncoding::Hex)
    );
    assert_eq!(file(&fields("filePermission: '0440'")).mode.unwrap().bits(), 0o440);
    assert_eq!(fields("objectVersion: latest").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersion: Latest").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersionHistory: 1").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersionHistory: -3").versions, VersionSelector::Newest);
    assert_eq!(fields("objectVersionHistory: 2").versions, VersionSelector::History { from: None, depth: 2 });
    assert_eq!(
        fields(
            "{objectVersionHistory: 5, objectVersion: v1}"
                .trim_matches(['{', '}'])
                .replace(", ", "\n  ")
                .as_str()
        )
        .versions,
        VersionSelector::History { from: Some("v1".parse().unwrap()), depth: 5 }
    );
}

#[test]
fn an_item_that_is_commented_out_is_skipped() {
    for yaml in [
        "array:\n- |\n  objectName: a\n  objectType: secret\n-\n- # objectName: b\n- ~\n",
        "- null\n- objectName: a\n  objectType: secret\n",
    ] {
        assert_eq!(objects(yaml).unwrap().len(), 1, "{yaml}");
    }
    assert_refused(objects("array:\n-\n- ~\n"), Fault::Request, &["names no object"]);
    assert_refused(objects("array:\n- \"\"\n"), Fault::Request, &["objects[0].objectName"]);
}

#[test]
fn a_history_lies_in_a_directory_however_it_is_written() {
    let path = |alias: &str, history: u32| {
        let fields = format!("objectAlias: {alias}\n  objectVersionHistory: {history}");
        objects(&format!("array:\n- |\n  objectName: a\n  objectType: secret\n  {fields}\n"))
    };
    for alias in ["certs/web", "certs/web/", "./certs/web", "certs//web"] {
        assert_eq!(file(&path(alias, 2).unwrap()[0]).path.as_str(), "certs/web");
    }
    assert_refused(path("certs/", 1), Fault::Request, &["objectAlias", "clean"]);
    assert_refused(path(".", 2), Fault::Request, &["objectAlias", "clean"]);
}

fn problems(yaml: &str) -> Vec<String> {
    objects(yaml).unwrap_err().problems().iter().map(ToString::to_string).collect()
}

/// Asserts that the entry of secret `a` with these further fields has exactly these problems.
#[track_caller]
fn assert_problems(fields: &str, expected: &[&str]) {
    let found = problems(&format!("- {{objectName: a, objectType: secret, {fields}}}"));
    assert_eq!(found.len(), expected.len(), "{fields}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(&format!("objects[0].{expected}")), "{fields}: {found:?}");
    }
}

#[test]
fn every_mistake_in_the_versions_of_an_entry_is_reported() {
    const PINNED: &str = "is not for objectVersion, which names the version already";
    const HISTORY: &str = "is not for objectVersionHistory, which mounts several versions";
    let not_after = "objectNotAfter: '2026-01-01T00:00Z'";
    assert_problems(
        "objectVersion: a/b, objectVersionHistory: many, objectVersionPolicy: newest, objectNotAfter: yesterday",
        &[
            "objectVersion (a): \"a/b\"",
            "objectVersionHistory (a): \"many\"",
            "objectVersionPolicy (a): \"newest\"",
            "objectNotAfter (a): \"yesterday\"",
        ],
    );
    assert_problems(
        &format!("objectVersion: v1, objectVersionHistory: 3, objectVersionPolicy: latest, {not_after}"),
        &[
            &format!("objectVersionPolicy (a): {PINNED}"),
            &format!("objectVersionPolicy (a): {HISTORY}"),
            &format!("objectNotAfter (a): {PINNED}"),
            &format!("objectNotAfter (a): {HISTORY}"),
        ],
    );
    // The version stands in the way of any policy.
    assert_problems(
        "objectVersion: v1, objectVersionPolicy: newest",
        &["objectVersionPolicy (a): \"newest\"", &format!("objectVersionPolicy (a): {PINNED}")],
    );
    // A version or a history that cannot be read might not.
    assert_problems(&format!("objectVersion: a/b, {not_after}"), &["objectVersion (a): \"a/b\""]);
    assert_problems(&format!("objectVersionHistory: x, {not_after}"), &["objectVersionHistory (a): \"x\""]);
    for (fields, others) in [
        ("default: x", &["default (a): is not for objectVersionHistory"][..]),
        ("jmesPath: [{path: a, objectAlias: b}]", &["jmesPath (a): is not for objectVersionHistory"]),
        ("outputs: tls-pem", &["objectVersionHistory (a): is not for an entry with outputs"]),
    ] {
        let policy = "objectVersionPolicy (a): \"newest\"";
        let clash = format!("objectVersionPolicy (a): {HISTORY}");
        let fields = format!("objectVersionHistory: 3, objectVersionPolicy: newest, {fields}");
        assert_problems(&fields, &[&[policy, &clash], others].concat());
    }
}

#[test]
fn an_alias_is_not_blamed_for_a_history_that_cannot_be_read() {
    assert_problems("objectAlias: d/, objectVersionHistory: many", &["objectVersionHistory (a): \"many\""]);
    assert_problems(
        "objectAlias: ../d/, objectVersionHistory: many",
        &["objectVersionHistory (a): \"many\"", "objectAlias (a): \"../d/\""],
    );
    assert_problems(
        "objectAlias: d/, objectVersionPolicy: newest",
        &["objectVersionPolicy (a): \"newest\"", "objectAlias (a): \"d/\""],
    );
}

#[test]
fn every_field_that_only_secrets_have_is_reported() {
    let found = problems(
        "- {objectName: a, objectType: key, objectFormat: pfx, objectEncoding: hex, default: x, \
         objectVersionHistory: 2}",
    );
    let fields: Vec<_> =
        found.iter().map(|problem| problem.split_once(" (a): ").map(|(field, _)| field)).collect();
    let expected = ["objectFormat", "objectEncoding", "default", "default"];
    let expected = expected.map(|field| format!("objects[0].{field}"));
    assert_eq!(fields, expected.each_ref().map(|field| Some(field.as_str())), "{found:?}");
}

#[test]
fn a_field_that_is_wrong_is_named_with_its_object() {
    for (fields, mentions) in [
        ("objectType: secret", &["objects[0].objectName", "not set"][..]),
        ("objectName: api-key", &["objects[0].objectType", "api-key"]),
        (
            "objectName: api-key\n  objectType: password",
            &["objectType", "api-key", "\"password\" is unknown; use secret, key or cert"],
        ),
        ("objectName: my_key\n  objectType: secret", &["objectName", "my_key"]),
        ("objectName: a/b\n  objectType: secret\n  objectAlias: c", &["objectName", "a/b"]),
        (
            "objectName: api-key\n  objectType: secret\n  objectAlias: /etc/passwd",
            &["objectAlias", "api-key", "/etc/passwd"],
        ),
        (
            "objectName: api-key\n  objectType: secret\n  filePermission: rw",
            &["filePermission", "api-key", "octal"],
        ),
        ("objectName: api-key\n  objectType: secret\n  objectVersion: a/b", &["objectVersion", "api-key"]),
        (
            "objectName: api-key\n  objectType: secret\n  objectVersionHistory: many",
            &["objectVersionHistory", "many"],
        ),
        ("objectName: api-key\n  objectType: secret\n  objectFormat: der", &["objectFormat", "der", "pfx"]),
        (
            "objectName: api-key\n  objectType: secret\n  objectEncoding: utf-16",
            &["objectEncoding", "utf-16"],
        ),
        ("objectName: api-key\n  objectType: key\n  objectEncoding: hex", &["objectEncoding", "objectType"]),
        ("objectName: api-key\n  objectType: cert\n  objectFormat: PFX", &["objectFormat", "objectType"]),
        ("objectName: a\n  objectName: b\n  objectType: secret", &["objects[0]", "objectName", "duplicate"]),
        ("objectName: [a", &["objects[0]", "YAML"]),
        ("- a", &["objects[0]", "YAML"]),
        ("objectName: {a: b}", &["objects[0]"]),
    ] {
        assert_refused(objects(&format!("array:\n- |\n  {fields}\n")), Fault::Request, mentions);
    }
}

#[test]
fn two_objects_cannot_share_a_path() {
    let list = |entries: &[(&str, &str, u32)]| -> String {
        entries.iter().fold("array:\n".to_owned(), |yaml, (name, alias, history)| {
            yaml + &format!("- |\n  objectName: {name}\n  objectType: secret\n  objectAlias: {alias}\n  objectVersionHistory: {history}\n")
        })
    };
    for (entries, clash) in [
        (&[("a", "x", 0), ("b", "x", 0)][..], true),
        (&[("a", "x", 0), ("a", "x", 0)], false),
        (&[("a", "x", 0), ("a", "y", 0)], false),
        (&[("a", "x", 0), ("b", "x/y", 0)], true),
        (&[("b", "x/y/z", 0), ("a", "x", 0)], true),
        (&[("a", "x", 3), ("b", "x", 0)], true),
        (&[("a", "x", 3), ("b", "x/0", 0)], true),
        (&[("a", "x", 3), ("b", "x/0/y", 0)], true),
        (&[("a", "x", 3), ("b", "x/3", 0)], true),
        (&[("a", "x", 3), ("b", "x/4", 0)], false),
        (&[("a", "x", 3), ("b", "x/2024", 0)], false),
        (&[("a", "x", 3), ("b", "x/00", 0)], false),
        (&[("a", "x", 3), ("b", "x/y", 0)], false),
        (&[("a", "x", 0), ("b", "xy", 0)], false),
        (&[("a", "d/x", 0), ("b", "d/y", 0)], false),
    ] {
        match objects(&list(entries)) {
            Ok(_) => assert!(!clash, "{entries:?}"),
            error => {
                assert!(clash, "{entries:?} {error:?}");
                assert_refused(error, Fault::Request, &["objects[", "objectAlias"]);
            }
        }
    }
}

#[test]
fn an_entry_with_a_mistake_does_not_hide_a_clash_of_others() {
    let entry =
        |name: &str, fields: &str| format!("- {{objectName: {name}, objectType: secret, {fields}}}\n");
    let class = entry("a", "optional: maybe") + &entry("b", "objectAlias: p") + &entry("c", "objectAlias: p");
    let clash =
        "objects[2] (c): its path \"p\" is the same as that of objects[1] (b); set another objectAlias";
    let found = problems(&class);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("objects[0].optional (a): \"maybe\""), "{found:?}");
    assert_eq!(found[1], clash);
    let unreadable = class.replace("{objectName: a, objectType: secret, optional: maybe}", "[]");
    assert_eq!(problems(&unreadable)[1], clash);
    // A path that cannot be read collides with none.
    let one = entry("a", "objectAlias: ../p") + &entry("b", "objectAlias: p");
    assert_eq!(problems(&one).len(), 1);
}

#[test]
fn of_too_many_entries_the_first_are_checked() {
    let entry = "- {objectName: a, objectType: secret}\n";
    let found =
        problems(&("- {objectName: a, objectType: x}\n".to_owned() + &entry.repeat(4_000) + "- {}\n"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("objects: names 4002 objects"), "{found:?}");
    assert!(found[1].starts_with("objects[0].objectType (a): \"x\""), "{found:?}");
}

#[test]
fn a_history_is_read_as_gos_yaml_reads_numbers() {
    for (written, depth) in [
        ("1_0", Some(10)),
        ("0x1_F", Some(31)),
        ("012", Some(10)),
        ("0b11", Some(3)),
        ("+5", Some(5)),
        ("1e1", Some(10)),
        ("5.9", Some(5)),
        ("'1_0'", Some(10)),
        ("-0x10", None),
        ("1.9", None),
        ("Null", None),
        ("", None),
    ] {
        for yaml in [
            format!("- |\n  objectName: a\n  objectType: secret\n  objectVersionHistory: {written}\n"),
            format!("- objectName: a\n  objectType: secret\n  objectVersionHistory: {written}\n"),
        ] {
            let expected =
                depth.map_or(VersionSelector::Newest, |depth| VersionSelector::History { from: None, depth });
            assert_eq!(objects(&yaml).unwrap()[0].versions, expected, "{written}");
        }
    }
}

#[test]
fn hostile_yaml_is_refused_in_bounded_time() {
    let nested = |depth| format!("other: {}{}\n{ONE_SECRET}", "[".repeat(depth), "]".repeat(depth));
    assert!(objects(&nested(3)).is_ok());
    let bomb = format!(
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n{}array: *a9\n",
        (1..10)
            .map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(",")))
            .collect::<String>()
    );
    for yaml in [format!("array: {}", "[".repeat(100_000)), nested(100_000), bomb] {
        assert!(objects(&yaml).is_err());
    }
}

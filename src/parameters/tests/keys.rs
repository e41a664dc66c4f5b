//! Tests of `optional`, `default`, `jmesPath` and `extract`.

use crate::spec::{
    absence::{IfAbsent, Presence},
    object::ObjectSpec,
    rendering::SecretEncoding,
    shape::{KeySelection, KeysShape, Shape},
    syntax::Syntax,
};

use super::*;

fn objects(yaml: &str) -> Result<Vec<ObjectSpec>, ParametersError> {
    mount(&[("objects", Some(yaml))]).map(|spec| spec.objects.to_vec())
}

/// Parses an entry of secret `a` with these further fields.
fn entry(fields: &str) -> Result<ObjectSpec, ParametersError> {
    let fields = format!("objectName: a\nobjectType: secret\n{fields}").replace('\n', "\n  ");
    objects(&format!("array:\n- |\n  {fields}\n")).map(|mut objects| objects.remove(0))
}

fn keys(fields: &str) -> KeysShape {
    match entry(fields).unwrap().shape {
        Shape::Keys(keys) => keys,
        other => panic!("{fields}: {other:?}"),
    }
}

fn if_absent(fields: &str) -> IfAbsent {
    entry(fields).unwrap().shape.as_file().unwrap().if_absent.clone()
}

#[test]
fn an_entry_without_the_new_fields_must_exist() {
    assert_eq!(if_absent(""), IfAbsent::Fail);
    assert_eq!(if_absent("optional: false"), IfAbsent::Fail);
    assert_eq!(if_absent("optional:"), IfAbsent::Fail);
    assert_eq!(if_absent("default:"), IfAbsent::Fail);
}

#[test]
fn an_optional_entry_has_no_file_or_its_default() {
    for spelling in ["true", "True", "TRUE", "t", "T", "1", "\"1\""] {
        assert_eq!(if_absent(&format!("optional: {spelling}")), IfAbsent::Omit, "{spelling}");
    }
    for (written, text) in [("x", "x"), ("''", ""), ("' x '", " x "), ("0600", "0600"), ("true", "true")] {
        let expected = IfAbsent::Write(text.parse().unwrap());
        assert_eq!(if_absent(&format!("default: {written}")), expected, "{written}");
        assert_eq!(if_absent(&format!("default: {written}\noptional: true")), expected, "{written}");
    }
}

#[test]
fn keys_are_listed_in_blocks_and_in_flow_style() {
    let block = keys(
        "filePermission: '0440'\njmesPath:\n- path: a.b\n  objectAlias: x\n- path: c[0]\n  objectAlias: y\n  \
         filePermission: 0400\n  objectEncoding: base64\n  default: d",
    );
    let flow = keys(
        "jmesPath: [{path: a.b, objectAlias: x}, {path: 'c[0]', objectAlias: y, filePermission: 0400, \
         objectEncoding: base64, default: d}]\nfilePermission: 0440",
    );
    assert_eq!(block, flow);
    let KeySelection::Listed(files) = &block.keys else { panic!("{block:?}") };
    let modes: Vec<_> = files.iter().map(|file| file.mode.unwrap().bits()).collect();
    assert_eq!(modes, [0o440, 0o400]);
    assert_eq!(files[1].encoding, SecretEncoding::Base64);
    assert_eq!(files[1].if_absent, IfAbsent::Write("d".parse().unwrap()));
    assert_eq!((block.syntax, block.presence), (Syntax::Json, Presence::Required));
    let map = "- objectName: a\n  objectType: secret\n  filePermission: 0440\n  jmesPath: [{path: a.b, objectAlias: x}, \
               {path: 'c[0]', objectAlias: y, filePermission: 0400, objectEncoding: base64, default: d}]\n";
    assert_eq!(objects(map).unwrap()[0].shape, Shape::Keys(flow));
}

#[test]
fn all_keys_lie_in_a_directory_or_in_the_root() {
    for (alias, expected) in [
        ("", Some("a")),
        ("objectAlias: env/", Some("env")),
        ("objectAlias: ./", None),
        ("objectAlias: .", None),
    ] {
        let keys = keys(&format!("extract: YAML\n{alias}\noptional: true\nobjectEncoding: hex"));
        let KeySelection::All { directory, mode: None } = &keys.keys else { panic!("{keys:?}") };
        assert_eq!(directory.as_ref().map(|directory| directory.as_str()), expected);
        assert_eq!(
            (keys.syntax, keys.presence, keys.encoding),
            (Syntax::Yaml, Presence::Optional, SecretEncoding::Hex)
        );
    }
}

#[test]
fn a_wrong_combination_is_named_with_its_path() {
    let item = "jmesPath: [{path: a, objectAlias: b}]";
    for (fields, mentions) in [
        ("optional: maybe", &["objects[0].optional (a)", "maybe", "not a boolean"][..]),
        ("default: canary\noptional: false", &["objects[0].default (a)", "leave out optional"]),
        ("default: canary\nobjectVersionHistory: 2", &["objects[0].default (a)", "objectVersionHistory"]),
        (&format!("default: canary\n{item}"), &["objects[0].default (a)", "jmesPath"]),
        ("default: canary\nextract: json", &["objects[0].default (a)", "extract"]),
        (&format!("{item}\nobjectVersionHistory: 2"), &["objects[0].jmesPath (a)", "objectVersionHistory"]),
        ("extract: json\nobjectVersionHistory: 2", &["objects[0].extract (a)", "objectVersionHistory"]),
        (&format!("{item}\nobjectFormat: PFX"), &["objects[0].jmesPath (a)", "objectFormat pfx"]),
        ("extract: toml", &["objects[0].extract (a)", "toml", "json, yaml or dotenv"]),
        ("jmesPath: []", &["objects[0].jmesPath (a)", "0 items", "1 to 100"]),
        ("jmesPath: user", &["objects[0].jmesPath (a)", "is a text, not a list", "{path: user"]),
        ("jmesPath: {path: a}", &["objects[0].jmesPath (a)", "is a map, not a list"]),
        (
            "jmesPath: [a, 5, ~]",
            &["jmesPath[0] (a): is a text", "jmesPath[1] (a): is a number", "jmesPath[2] (a): is empty"],
        ),
        ("jmesPath: [{}]", &["jmesPath[0].path (a): is not set", "jmesPath[0].objectAlias (a): is not set"]),
        (
            "jmesPath: [{path: a, objectAlias: b, objectAlais: c, x: {y: [canary]}}]",
            &[
                "jmesPath[0].objectAlais (a)",
                "did you mean objectAlias?",
                "jmesPath[0].x (a)",
                "use path, objectAlias",
            ],
        ),
        (
            "jmesPath: [{path: 'a[*]', objectAlias: ../b, filePermission: rw, objectEncoding: z, default: canary, optional: 'no'}]",
            &[
                "jmesPath[0].path (a)",
                "a[*]",
                "jmesPath[0].objectAlias (a)",
                "../b",
                "filePermission",
                "objectEncoding",
                "optional",
            ],
        ),
        (
            "jmesPath: [{path: a, objectAlias: b, default: canary, optional: false}]",
            &["jmesPath[0].default (a)"],
        ),
        (
            "jmesPath: [{path: a, objectAlias: b}, {path: c, objectAlias: b}]",
            &["jmesPath[1] (a)", "jmesPath[0] (a)", "the same as"],
        ),
        (
            "jmesPath: [{path: a, objectAlias: b}, {path: c, objectAlias: b/c}]",
            &["jmesPath[1] (a)", "inside"],
        ),
    ] {
        assert_refused(entry(fields), Fault::Request, mentions);
    }
    for kind in ["key", "cert"] {
        for fields in [item, "extract: json", "default: canary"] {
            let entry = format!("- |\n  objectName: a\n  objectType: {kind}\n  {fields}\n");
            assert_refused(objects(&entry), Fault::Request, &["objects[0].", "objectType secret"]);
        }
    }
    let long = format!("default: {}", "x".repeat(4_097));
    assert_refused(entry(&long), Fault::Request, &["objects[0].default (a)", "4096 bytes"]);
}

#[test]
fn an_invalid_optional_does_not_hide_a_default_that_is_too_long() {
    let long = "x".repeat(5_000);
    let fields = |optional: &str| format!("optional: {optional}, default: {long}");
    for (entry, at) in [
        (format!("- {{objectName: a, objectType: secret, {}}}", fields("maybe")), "objects[0]"),
        (
            format!(
                "- {{objectName: a, objectType: secret, jmesPath: [{{path: a, objectAlias: b, {}}}]}}",
                fields("maybe")
            ),
            "objects[0].jmesPath[0]",
        ),
        (
            format!(
                "- {{objectAlias: f, combine: {{format: json, items: [{{key: k, objectName: a, {}}}]}}}}",
                fields("maybe")
            ),
            "objects[0].combine.items[0]",
        ),
    ] {
        let error = objects(&entry).unwrap_err();
        let [optional, default] = error.problems() else { panic!("{error}") };
        assert!(optional.to_string().starts_with(&format!("{at}.optional (a): \"maybe\" ")), "{optional}");
        assert!(default.to_string().starts_with(&format!("{at}.default (a): ")), "{default}");
        assert!(default.reason.contains("4096 bytes"), "{default}");
        let both = objects(&entry.replace("maybe", "false")).unwrap_err();
        let [long, beside] = both.problems() else { panic!("{both}") };
        assert!(long.reason.contains("4096 bytes"), "{long}");
        assert!(beside.reason.starts_with("makes it optional"), "{beside}");
    }
}

#[test]
fn a_default_is_not_quoted_with_its_line() {
    for fields in [
        "default: 'canary",
        "default: \"canary\\x\"",
        "jmesPath: [{default: canary",
        "default : canary: y",
        "\"default\": canary: y",
        "'default': 'canary' y",
        "{\"default\":\"canary\"",
        "default: |\n    l1\n  canary",
        "default: |\n  l1\n\tcanary",
        "default: |\ncanary",
        "default: \"l1\ncanary\"",
        "default: l1\n  canary: y",
        "jmesPath: [{path: a, objectAlias: b, default: 'l1\n canary",
    ] {
        assert_refused(entry(fields), Fault::Request, &["objects[0]", "YAML"]);
    }
    for objects_in_json in [
        r#"[{"objectName":"a","objectType":"secret","default":"canary"]"#,
        r#"[{"objectName":"a","objectType":"secret","default":"canary","default":"canary"}]"#,
        r#"[{"objectName":"a","objectType":"secret","default":"canary"}}]"#,
    ] {
        assert_refused(objects(objects_in_json), Fault::Request, &["objects", "YAML"]);
    }
}

#[test]
fn a_hundred_items_are_taken_and_no_more() {
    let items = |count: usize| {
        let item = |index| format!("{{path: k{index}, objectAlias: f{index}}}");
        format!("jmesPath: [{}]", (0..count).map(item).collect::<Vec<_>>().join(", "))
    };
    assert!(entry(&items(100)).is_ok());
    assert_refused(entry(&items(101)), Fault::Request, &["101 items"]);
}

#[test]
fn too_many_items_do_not_hide_the_mistakes_of_the_first() {
    let mut items = vec!["{path: a, objectAlias: b}"; 101];
    (items[0], items[99], items[100]) = ("{path: a}", "{objectAlias: b}", "{}");
    let error = entry(&format!("jmesPath: [{}]", items.join(", "))).unwrap_err();
    let problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "objects[0].jmesPath (a): has 101 items; an entry has 1 to 100",
            "objects[0].jmesPath[0].objectAlias (a): is not set",
            "objects[0].jmesPath[99].path (a): is not set",
        ]
    );
}

#[test]
fn files_of_others_may_lie_in_the_directory_of_all_keys() {
    let with = |alias: &str| {
        objects(&format!(
            "- {{objectName: a, objectType: secret, extract: json, objectAlias: env}}\n\
             - {{objectName: b, objectType: secret, objectAlias: {alias}}}\n"
        ))
    };
    assert!(with("env/b").is_ok());
    assert_refused(with("env"), Fault::Request, &["objects[1] (b)", "the same as", "objects[0] (a)"]);
    let two = "- {objectName: a, objectType: secret, extract: json, objectAlias: env}\n\
               - {objectName: b, objectType: secret, extract: json, objectAlias: env}\n\
               - {objectName: c, objectType: secret, objectVersionHistory: 2, objectAlias: env}\n";
    assert!(objects(two).is_ok());
}

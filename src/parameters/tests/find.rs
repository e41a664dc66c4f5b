//! Tests of `find` and `rewrite`.

use crate::spec::{
    absence::Presence,
    find::{FindSpec, FoundShape, Managed},
    match_steps::MatchSteps,
    object::{ObjectType, Origin},
    shape::{KeySelection, Shape},
};

use super::*;

fn spec(yaml: &str) -> Result<MountSpec, ParametersError> {
    mount(&[("objects", Some(yaml))])
}

fn find(yaml: &str) -> FindSpec {
    let finds = spec(yaml).unwrap().finds;
    assert_eq!(finds.len(), 1, "{yaml}");
    finds[0].clone()
}

fn problems(yaml: &str) -> Vec<String> {
    spec(yaml).unwrap_err().problems().iter().map(ToString::to_string).collect()
}

#[test]
fn an_entry_with_find_names_conditions_instead_of_an_object() {
    let block = "array:\n- |\n  objectType: secret\n  keyvaultName: lab2\n  objectAlias: ./settings/\n  filePermission: 0400\n  \
                 optional: 'true'\n  find:\n    name: shop-*\n    tags:\n      env: prod\n      n: 1.10\n      none: ''\n    \
                 contentType: text/plain\n    managed: yes\n";
    let error = problems(block);
    assert!(error[0].starts_with("objects[0].find.managed: "), "{error:?}");
    let found = find(&block.replace("managed: yes", "managed: True"));
    assert_eq!((found.entry, found.position), (0, 0));
    assert_eq!(found.to_string(), "lab2/secret/*");
    assert_eq!(
        found.conditions.to_string(),
        "name shop-*, tag env=prod, tag n=1.10, tag none=, content type text/plain, those of certificates too"
    );
    assert_eq!(found.directory.as_ref().map(|directory| directory.as_str()), Some("settings"));
    assert_eq!(found.presence, Presence::Optional);
    assert!(matches!(found.shape, FoundShape::File { mode: Some(mode), .. } if mode.bits() == 0o400));
    let plain = find("- {objectType: key, find: {name: {regexp: ' ^a'}}, objectAlias: ./}");
    assert_eq!(plain.conditions.to_string(), "name / ^a/");
    assert_eq!((plain.conditions.managed, plain.directory), (Managed::Excluded, None));
}

#[test]
fn finds_keep_their_places_among_the_objects() {
    let objects = "- {objectName: a, objectType: secret}\n- {objectType: secret, find: {name: '*'}}\n- {objectAlias: env, \
                   combine: {format: json, items: [{key: a, objectName: a}, {key: b, objectName: b}]}}\n- {objectType: cert, find: \
                   {name: '*'}, objectAlias: c}";
    let spec = spec(objects).unwrap();
    let places: Vec<_> = spec.finds.iter().map(|find| (find.entry, find.position)).collect();
    assert_eq!((spec.objects.len(), places), (3, vec![(1, 1), (3, 3)]));
}

#[test]
fn a_found_object_has_the_files_of_its_entry() {
    let name = || "web".parse().unwrap();
    let keys = find(
        "- {objectType: secret, find: {name: '*'}, objectAlias: cfg, extract: yaml, objectEncoding: base64}",
    );
    let Shape::Keys(keys) = keys.object(name(), &mut MatchSteps::of_mount()).unwrap().shape else { panic!() };
    let KeySelection::All { directory: Some(directory), .. } = keys.keys else { panic!() };
    assert_eq!(directory.as_str(), "cfg/web");
    let tls =
        find("- {objectType: secret, find: {name: '*', managed: true}, objectAlias: tls, outputs: tls-pem}");
    let object = tls.object(name(), &mut MatchSteps::of_mount()).unwrap();
    let paths: Vec<_> = object.shape.named_paths().into_iter().map(|path| path.as_str()).collect();
    assert_eq!(paths, ["tls/web/tls.crt", "tls/web/tls.key", "tls/web/ca.crt"]);
    assert_eq!(object.origin, Origin::Found { entry: 0 });
    let listed = find(
        "- {objectType: cert, find: {name: '*'}, rewrite: [{regexp: {source: w, target: W}}], outputs: [{objectAlias: a/b, content: \
         leaf}]}",
    );
    let object = listed.object(name(), &mut MatchSteps::of_mount()).unwrap();
    assert_eq!(object.shape.named_paths()[0].as_str(), "Web/a/b");
    assert_eq!(object.object_type(), ObjectType::Certificate);
    let pfx = find("- {objectType: secret, find: {name: '*', managed: 1}, objectFormat: pfx}");
    assert_eq!(
        pfx.object(name(), &mut MatchSteps::of_mount()).unwrap().shape.named_paths()[0].as_str(),
        "web"
    );
}

#[test]
fn all_mistakes_of_an_entry_come_together() {
    let entry = "- {objectName: db, objectVersion: v1, objectVersionHistory: 3, objectVersionPolicy: latest, objectNotAfter: \
                 2026-01-01T00:00Z, default: x, jmesPath: [], find: {nam: a, tags: {a: , b: 1}, contentType: x}, objectType: key, \
                 rewrite: [{regex: a}, null, {regexp: {source: '(a', target: ''}}, {regexp: {source: a, traget: b}}, {regexp: \
                 {source: a, target: $1}}]}";
    let each = "is not for an entry with find; each object has its newest version";
    assert_eq!(
        problems(entry),
        [
            "objects[0].objectName (db): is not for an entry with find; use one of the two".to_owned(),
            format!("objects[0].objectVersion (db): {each}"),
            format!("objects[0].objectVersionHistory (db): {each}"),
            format!("objects[0].objectVersionPolicy (db): {each}"),
            format!("objects[0].objectNotAfter (db): {each}"),
            "objects[0].default (db): is not for an entry with find; set optional: true instead".to_owned(),
            "objects[0].jmesPath (db): is not for an entry with find; use extract, or name the object in an entry of its own"
                .to_owned(),
            "objects[0].find.nam (db): is an unknown field; did you mean name?".to_owned(),
            "objects[0].find.tags.\"a\" (db): has no value; write \"\" for a tag without one".to_owned(),
            "objects[0].find.contentType (db): is only for objectType secret; use name or tags".to_owned(),
            "objects[0].rewrite[0].regex (db): is an unknown field; did you mean regexp?".to_owned(),
            "objects[0].rewrite[0].regexp (db): is not set; an item looks like {regexp: {source: ^shop-, target: \"\"}}"
                .to_owned(),
            "objects[0].rewrite[1] (db): is empty; an item looks like {regexp: {source: ^shop-, target: \"\"}}".to_owned(),
            "objects[0].rewrite[2].regexp.source (db): \"(a\" is not a regular expression: found open group without closing ')'".to_owned(),
            "objects[0].rewrite[3].regexp.traget (db): is an unknown field; did you mean target?".to_owned(),
            "objects[0].rewrite[3].regexp.target (db): is not set; write \"\" to remove what source matches".to_owned(),
            "objects[0].rewrite[4].regexp.target (db): names the group ${1}, which source does not have; write $$ for a \
             dollar sign"
                .to_owned(),
        ]
    );
}

#[test]
fn a_find_needs_a_condition_of_the_right_form() {
    for (fields, expected) in [
        ("find: {}", "find: has no condition; write name: \"*\" to find every object"),
        ("find: {name: }", "find: has no condition; write name: \"*\" to find every object"),
        ("find: x", "find: is "),
        ("find: [a]", "find: is "),
        ("find: {name: [a]}", "find.name: is "),
        ("find: {name: 12}", "find.name: is a number; put it in quotes"),
        ("find: {name: {}}", "find.name.regexp: is not set"),
        ("find: {name: {regex: a}}", "find.name.regex: is an unknown field; did you mean regexp?"),
        ("find: {name: a.*}", "find.name: \"a.*\" can match no name"),
        ("find: {name: {regexp: ''}}", "find.name.regexp: \"\" is empty"),
        ("find: {tags: x}", "find.tags: is "),
        ("find: {tags: {}}", "find: has no condition"),
        ("find: {name: '*'}, rewrite: []", "rewrite: has 0 items; an entry has 1 to 8"),
        ("find: {name: '*'}, rewrite: {regexp: a}", "rewrite: is "),
        ("find: {name: '*'}, rewrite: [{regexp: a}]", "rewrite[0].regexp: is "),
        ("find: {name: '*'}, objectAlias: /x", "objectAlias: \"/x\" must be relative"),
        (
            "find: {name: '*'}, sourcePasswordObject: p",
            "sourcePasswordObject: is only for an entry with outputs",
        ),
        (
            "objectName: a, rewrite: [{regexp: {source: a, target: b}}]",
            "rewrite (a): is only for an entry with find",
        ),
    ] {
        let found = problems(&format!("- {{objectType: secret, {fields}}}"));
        let expected = format!("objects[0].{expected}");
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{fields}: {found:?}");
    }
    let keys = problems(
        "- {objectType: secret, find: {name: '*'}, extract: json, jmesPath: [{path: a, objectAlias: b}], objectAlias: /x}",
    );
    assert_eq!(keys.len(), 2, "{keys:?}");
    for fields in ["", "extract: json", "outputs: tls-pem"] {
        let entry = format!(
            "- {{find: {{name: '*'}}, optional: x, objectAlias: /x, filePermission: y, default: z, {fields}}}"
        );
        let found = problems(&entry);
        let distinct: std::collections::BTreeSet<_> = found.iter().collect();
        assert_eq!((found.len(), distinct.len()), (5, 5), "{fields}: {found:?}");
    }
    for fields in ["find: {managed: true}", "find: {tags: {a: b}}", "find: {contentType: x}"] {
        assert!(spec(&format!("- {{objectType: secret, {fields}}}")).is_ok(), "{fields}");
    }
    let combine = "- {objectAlias: a, find: {name: a}, rewrite: [], combine: {format: json, items: [{key: a, objectName: a}]}}";
    assert_eq!(
        problems(combine),
        [
            "objects[0].find: is not for an entry with combine; write an entry of its own",
            "objects[0].rewrite: is not for an entry with combine; write an entry of its own"
        ]
    );
}

#[test]
fn finds_are_bounded() {
    let entry = |fields: &str| format!("- {{objectType: secret, {fields}}}\n");
    let many = |count: usize| entry("find: {name: '*'}").repeat(count);
    assert_eq!(spec(&many(20)).unwrap().finds.len(), 20);
    assert_eq!(
        problems(&many(21)),
        ["objects: has 21 entries with find, more than the 20 that one mount may have"]
    );
    let with_mistake = entry("find: {name: '*'}, optional: maybe") + &many(20);
    assert_eq!(problems(&with_mistake).len(), 2);
    let rewrites = |count: usize| {
        let items = vec!["{regexp: {source: a, target: b}}"; count];
        entry(&format!("find: {{name: '*'}}, rewrite: [{}]", items.join(", ")))
    };
    assert!(spec(&rewrites(8)).is_ok());
    assert_eq!(problems(&rewrites(9)), ["objects[0].rewrite: has 9 items; an entry has 1 to 8"]);
    let tags = |count: usize| {
        let tags: Vec<_> = (0..count).map(|tag| format!("t{tag}: x")).collect();
        entry(&format!("find: {{tags: {{{}}}}}", tags.join(", ")))
    };
    assert!(spec(&tags(15)).is_ok());
    assert_eq!(problems(&tags(16)), ["objects[0].find.tags: has 16 tags; an object has 15 at most"]);
    let regexp = |text: &str| entry(&format!("find: {{name: {{regexp: '{text}'}}}}"));
    assert!(spec(&regexp(&"a".repeat(256))).is_ok());
    let found = problems(&regexp(&"a".repeat(257)));
    assert!(found[0].contains("is longer than 256 bytes"), "{found:?}");
    let found = problems(&regexp("(a{1000}){1000}"));
    assert!(found[0].contains("repeats too much"), "{found:?}");
    let content_type = |length: usize| entry(&format!("find: {{contentType: {}}}", "a".repeat(length)));
    assert!(spec(&content_type(1_024)).is_ok());
    let reason = "is longer than 1024 bytes; no content type in a vault is";
    assert_eq!(problems(&content_type(1_025)), [format!("objects[0].find.contentType: {reason}")]);
}

#[test]
fn a_file_inside_of_which_a_find_puts_files_is_a_clash() {
    let clash = "- {objectName: a, objectType: secret, objectAlias: dir}\n- {objectType: secret, find: {name: '*'}, objectAlias: dir}";
    let found = problems(clash);
    assert!(found[0].contains("its path \"dir\" is the same as that of objects[0] (a)"), "{found:?}");
    let beside = "- {objectName: a, objectType: secret, objectAlias: dir/a}\n- {objectType: secret, find: {name: '*'}, objectAlias: \
                  dir}\n- {objectType: key, find: {name: '*'}, objectAlias: dir}";
    assert!(spec(beside).is_ok());
}

#[test]
fn a_vault_of_a_find_counts_and_the_own_one_is_left_out() {
    let own = find("- {objectType: secret, keyvaultName: LAB, find: {name: '*'}}");
    assert_eq!(own.vault, None);
    let entry = |vault: usize| {
        format!("- {{objectType: secret, keyvaultName: other-{vault}, find: {{name: '*'}}}}\n")
    };
    let all = |count: usize| (0..count).map(entry).collect::<String>();
    assert!(spec(&all(7)).is_ok());
    let found = problems(&all(8));
    assert!(found[0].contains("names more than 8 vaults"), "{found:?}");
}

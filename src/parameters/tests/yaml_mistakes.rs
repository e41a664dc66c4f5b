//! Mistakes in the YAML of `objects`, and their messages.

use super::*;

const ENTRY: &str =
    "; an entry looks like \"objectName: db-password\", with \"objectType: secret\" on the next line";
const LIST: &str = "; the list looks like \"array:\", with \"- objectName: db-password\" and \"  objectType: secret\" on the \
                    next lines";

#[track_caller]
fn error_text(objects: &str) -> String {
    let error = mount(&[("objects", Some(objects))]).expect_err("should be refused");
    assert_eq!(error.fault(), Fault::Request);
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message:?}");
    message.strip_prefix("invalid SecretProviderClass parameters: ").unwrap().to_owned()
}

fn entry(cause: &str) -> String {
    format!("objects[0]: is not the YAML of an object's fields: {cause}{ENTRY}")
}

fn list(cause: &str) -> String {
    format!("objects: is not the YAML of a list of objects under \"array\": {cause}{LIST}")
}

#[test]
fn an_entry_of_another_kind_is_named_with_its_line_and_what_it_should_look_like() {
    for (yaml, cause) in [
        (
            "array:\n  - |\n    - objectName: s1\n      objectType: secret\n    - objectName: s2\n      objectType: secret\n",
            "it is a list at line 1: \"- objectName: s1\"",
        ),
        ("- - objectName: s1\n    objectType: secret\n", "it is a list at line 1: \"- - objectName: s1\""),
        ("array:\n\n  - [a]\n", "it is a list at line 3: \"  - [a]\""),
        (
            "array:\n  - |\n    # s1\n    objectName:s1\n    objectType:secret\n",
            "it is a text at line 2: \"objectName:s1\"",
        ),
        ("array:\n  - db-password\n", "it is a text at line 1: \"db-password\""),
        ("array:\n  - 5\n", "it is a number at line 2: \"  - 5\""),
        ("array:\n  - true\n", "it is a boolean at line 2: \"  - true\""),
        ("array:\n  - |\n    5.5\n", "it is a number at line 1: \"5.5\""),
        (
            "array:\n  - |\n    ${OBJECT}\n",
            "it is a text at line 1: \"${OBJECT}\"; the placeholder was not replaced",
        ),
    ] {
        assert_eq!(error_text(yaml), entry(cause), "{yaml}");
    }
}

#[test]
fn each_entry_of_another_kind_is_named() {
    let message = error_text("array:\n- |\n  - a\n- 5\n- objectName: a\n  objectType: secret\n- - a\n");
    assert!(message.starts_with("3 problems: objects[0]: "), "{message}");
    assert!(
        message.contains("objects[1]: ") && message.contains("it is a number at line 4: \"- 5\""),
        "{message}"
    );
    assert!(
        message.contains("objects[3]: ") && message.contains("it is a list at line 7: \"- - a\""),
        "{message}"
    );
}

#[test]
fn objects_of_another_kind_are_named_with_their_line_and_what_they_should_look_like() {
    for (yaml, cause) in [
        ("just text", "it is a text at line 1: \"just text\""),
        ("---\n5", "it is a number at line 2: \"5\""),
        (
            "# mine\narray: |\n  - |\n    objectName: s1\n    objectType: secret\n",
            "array is a text at line 2: \"array: |\"",
        ),
        ("array:\n  objectName: s1\n  objectType: secret\n", "array is a map at line 1: \"array:\""),
        ("array: true", "array is a boolean at line 1: \"array: true\""),
        ("${OBJECTS}", "it is a text at line 1: \"${OBJECTS}\"; the placeholder was not replaced"),
    ] {
        assert_eq!(error_text(yaml), list(cause), "{yaml}");
    }
}

#[test]
fn a_map_without_a_list_is_described_by_its_keys() {
    const NONE: &str = "objects: names no object; list them under array:";
    for (yaml, rest) in [
        ("objectName: s1\nobjectType: secret\n", ", in place of \"objectName\" and \"objectType\""),
        ("objects:\n- objectName: s1\n", ", in place of \"objects\""),
        ("Array:\n- objectName: s1\n", ", in place of \"Array\""),
        ("array:\n", ""),
        ("{{ .Values.objects }}", "; the placeholder was not replaced"),
    ] {
        assert_eq!(error_text(yaml), format!("{NONE}{rest}"), "{yaml}");
    }
}

#[test]
fn a_character_that_only_looks_like_yaml_is_named_with_its_line() {
    for (yaml, cause) in [
        (
            "array:\n\u{a0}\u{a0}- |\n    objectName: s1\n",
            r#"line 2 has a no-break space (U+00A0): "\u{a0}\u{a0}- |""#,
        ),
        (
            "array:\n  - |\n\u{a0}   objectName: s1\n    objectType: secret\n",
            r#"line 3 has a no-break space (U+00A0): "\u{a0}   objectName: s1""#,
        ),
        ("array:\n  -\u{a0}|\n    objectName: s1\n", r#"line 2 has a no-break space (U+00A0): "  -\u{a0}|""#),
        (
            "array:\n  - |\u{a0}\n    objectName: s1\n",
            r#"line 2 has a no-break space (U+00A0): "  - |\u{a0}""#,
        ),
        (
            "array:\u{200b}\n  - |\n    objectName: s1\n",
            r#"line 1 has a zero-width space (U+200B): "array:\u{200b}""#,
        ),
        ("\u{2060}array:\n  - [", r#"line 1 has an invisible character (U+2060): "\u{2060}array:""#),
        ("array:\n  \u{2013} |\n    objectName: s1\n", "line 2 has a dash (U+2013): \"  \u{2013} |\""),
        ("array:\n\t- |\n\t\tobjectName: s1\n", r#"line 2 is indented with a tab: "\t- |""#),
        (
            "array:\n  - |\n    objectName: s1\n\tobjectType: secret\n",
            r#"line 4 is indented with a tab: "\tobjectType: secret""#,
        ),
    ] {
        assert_eq!(error_text(yaml), list(cause), "{yaml:?}");
    }
    for (yaml, cause) in [
        (
            "array:\n  - |\n    objectName:\u{a0}s1\n    objectType: secret\n",
            r#"line 1 has a no-break space (U+00A0): "objectName:\u{a0}s1""#,
        ),
        (
            "array:\n  - |\n    objectName\u{ff1a} s1\n    objectType: secret\n",
            r#"line 1 has a fullwidth colon (U+FF1A): "objectName\u{ff1a} s1""#,
        ),
        (
            "array:\n  - |\n    objectName: s1\n    \tobjectType: secret\n",
            r#"line 2 is indented with a tab: "\tobjectType: secret""#,
        ),
    ] {
        assert_eq!(error_text(yaml), entry(cause), "{yaml:?}");
    }
}

#[test]
fn a_field_that_is_not_set_for_an_invisible_character_is_explained() {
    let message = error_text("- |\n  objectName: s1\n  \u{a0}objectType: secret\n");
    let cause = r#"line 2 has a no-break space (U+00A0): "\u{a0}objectType: secret""#;
    assert_eq!(message, format!("objects[0].objectType (s1): is not set; {cause}{ENTRY}"));
    let message = error_text("- objectName: s1\n  \u{200b}objectType: secret\n");
    let cause = r#"field "\u{200b}objectType" is unknown (did you mean objectType?)"#;
    assert_eq!(message, format!("objects[0].objectType (s1): is not set; {cause}"));
    let message = error_text("- |\n  objectname: s1\n  ObjectType: secret\n");
    assert!(
        message
            .contains("objectName: is not set; field \"objectname\" is unknown (did you mean objectName?)")
    );
    assert!(
        message
            .contains("objectType: is not set; field \"ObjectType\" is unknown (did you mean objectType?)")
    );
}

#[test]
fn odd_yaml_that_parses_is_accepted() {
    for yaml in [
        "\u{feff}array:\n- |\n  objectName: s1\n  objectType: secret\n",
        "- |\n  objectName: s1\n  objectType: secret\n  objectAlias: a\u{a0}b\n",
        "{\n\t\"array\": [\n\t\t{\"objectName\": \"s1\", \"objectType\": \"secret\"}\n\t]\n}\n",
        "? [a]\n: b\n~: c\n5: d\narray:\n- {objectName: s1, objectType: secret, ~: x, 5: y, ? [z] : w}\n",
    ] {
        assert!(mount(&[("objects", Some(yaml))]).is_ok(), "{yaml:?}");
    }
    // The actual mistake is elsewhere.
    let brackets = error_text("\u{feff}array: [\n# \u{a0}\n");
    assert!(brackets.contains("unclosed bracket"), "{brackets}");
    let json = error_text("{\n\t\"array\": [\n\t}\n");
    assert!(!json.contains("indented with a tab"), "{json}");
}

/// Such an entry ends provider-azure's process.
#[test]
fn a_list_as_a_key_beside_a_merge_is_read_like_any_other_key() {
    let entry = "- |\n  ? [a]\n  : b\n  <<: {}\n";
    let message = error_text(entry);
    assert!(message.contains("objects[0].objectName: is not set"), "{message}");
    let whole = format!("{entry}  objectName: s1\n  objectType: secret\n");
    assert_eq!(mount(&[("objects", Some(&whole))]).unwrap().objects.len(), 1);
}

#[test]
fn yaml_that_the_parser_refuses_is_shown_with_its_line() {
    for (yaml, start, line) in [
        ("array: [", "objects: is not the YAML of a list of objects", ": \"array: [\""),
        ("array:\n  - |\n  objectName: s1\n", "objects: is not the YAML", ": \"  objectName: s1\""),
        (
            "array:\n  - |\n    objectName: s1\n     objectType: secret\n",
            "objects[0]: is not the YAML of an object's fields: ",
            "at line 2, column 12: \" objectType: secret\"",
        ),
        (
            "- |\n  objectName: a\n  objectName: b\n",
            "objects[0]: is not the YAML",
            "duplicate mapping key: objectName: \"objectName: b\"",
        ),
        (
            "- {objectName: a, objectType: secret}\n---\n- a\n",
            "objects: is not the YAML",
            "multiple YAML documents detected: \"- a\"",
        ),
        (
            "array:\n{{ range .Values.objects }}\n- |\n  objectName: {{ . }}\n{{ end }}\n",
            "objects: is not the YAML",
            ": \"{{ range .Values.objects }}\"; the placeholder was not replaced",
        ),
    ] {
        let message = error_text(yaml);
        assert!(message.starts_with(start) && message.ends_with(line), "{message}");
    }
}

#[test]
fn a_brace_too_many_is_not_taken_for_a_placeholder() {
    for yaml in [
        "- |\n  {\"objectName\": \"s1\", \"objectType\": \"secret\"}}\n",
        "{\"array\": [{\"objectName\": \"s1\", \"objectType\": \"secret\"}]}}",
        "[{\"objectName\": \"s1\", \"objectType\": \"secret\"}]]",
        "{\"objectName\": \"s1\", \"objectType\": \"secret\"}",
    ] {
        let message = error_text(yaml);
        assert!(!message.contains("placeholder"), "{message}");
    }
}

#[test]
fn a_control_character_is_shown_with_its_own_line() {
    for (yaml, cause) in [
        (
            "array:\n  - |\n    objectName: s1\n    objectType: se\u{1}cret\n",
            r#"line 4 has a control character (U+0001): "    objectType: se\u{1}cret""#,
        ),
        (
            "- |\n  objectName: s1\n\n  objectType: secret\u{7f}\n",
            r#"line 4 has a control character (U+007F): "  objectType: secret\u{7f}""#,
        ),
        (
            "- objectName: s1\n  objectType: \"se\u{1b}cret\"\n",
            r#"line 2 has a control character (U+001B): "  objectType: \"se\u{1b}cret\"""#,
        ),
    ] {
        let message = error_text(yaml);
        let start = "objects: is not the YAML of a list of objects under \"array\": ";
        assert_eq!(message, format!("{start}{cause}"), "{yaml:?}");
    }
    let message = error_text("- |\n  objectName: s1\n  default: canary\n  objectType: se\u{1}cret\n");
    assert!(
        message.contains("line 4 has") && message.ends_with("not shown, since it may belong to a default")
    );
}

#[test]
fn a_line_of_hundreds_of_kilobytes_is_cut() {
    let long = 400 << 10;
    for yaml in [
        "x".repeat(long),
        "\u{a0}".repeat(long / 2),
        format!("array: [{}", "\u{200b}".repeat(long / 3)),
        format!("- |\n  - {}\n", "'\u{1b}\u{1b}".repeat(long / 13)),
        format!("array: {}", "é".repeat(long / 2)),
        format!("objectName: {0}\n{0}: x\n", "k".repeat(long / 4)),
    ] {
        let message = error_text(&yaml);
        assert!(!message.contains("longer than"), "{message:.300}");
        assert!(
            message.len() < 1_000 && !message.contains('\u{1b}'),
            "{} bytes: {message:.300}",
            message.len()
        );
    }
}

/// The line of each entry is searched in the text.
#[test]
fn thousands_of_entries_of_another_kind_are_reported_quickly() {
    let comments = "#\n".repeat(1 << 16);
    let message = error_text(&format!("{comments}array:\n{}", "- 5\n".repeat(4_000)));
    assert!(message.starts_with("4000 problems: objects[0]: "), "{message:.200}");
    assert!(message.contains("it is a number at line 65538: \"- 5\""), "{message:.200}");
    let odd = "- {\u{a0}objectName: a, objectType: secret}\n";
    let message = error_text(&format!("{comments}{}", odd.repeat(4_000)));
    assert!(
        message.starts_with("4000 problems: objects[0].objectName: is not set; field "),
        "{message:.200}"
    );
}

#[test]
fn a_list_in_place_of_a_text_does_not_hide_the_other_mistakes_of_the_class() {
    let class = "- {objectName: 12345, objectType: secret, filePermission: 0999, objectVersion: [canary]}\n\
                 - |\n  objectAlias: app.env\n  combine:\n    format: [dotenv]\n    items:\n    - {key: K, objectName: db, \
                 jmesPath: [{path: canary}]}\n    - {objectName: d_b}\n\
                 - {objectName: web, objectType: secret, outputs: [{objectAlias: a, content: key, format: [pem]}, \
                 {objectAlias: b, content: keystore, passwordObject: {name: x}}]}\n";
    let error = mount(&[("objects", Some(class))]).unwrap_err();
    assert_eq!(
        error.problems().iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "objects[0].objectVersion (12345): is a list, not a text",
            "objects[0].filePermission (12345): \"0999\" must be an octal number from 0 to 0777",
            "objects[1].combine.format: is a list, not a text",
            "objects[1].combine.items[0].jmesPath (db): is a list, not a text",
            "objects[1].combine.items[1].key: is not set",
            "objects[1].combine.items[1].objectName: \"d_b\" must be 1 to 127 letters, digits and dashes",
            "objects[2].outputs[0].format (web): is a list, not a text",
            "objects[2].outputs[1].passwordObject (web): is a map, not a text",
        ]
    );
}

/// Returns a map of these fields, in which `key` is a list.
fn with_list(fields: &[(&str, &str)], key: &str) -> String {
    let others = fields.iter().filter(|(name, _)| *name != key);
    let others = others.map(|(name, value)| format!("{name}: {value}"));
    let fields: Vec<_> = others.chain([format!("{key}: [canary]")]).collect();
    format!("{{{}}}", fields.join(", "))
}

/// Asserts that one of the problems has this path, and that none is of the whole text.
#[track_caller]
fn assert_named(objects: &str, path: &str) {
    let error = mount(&[("objects", Some(objects))]).expect_err(objects);
    let problems: Vec<_> = error.problems().iter().map(ToString::to_string).collect();
    let is_named = |problem: &String| {
        problem.strip_prefix(path).is_some_and(|rest| rest.starts_with(": ") || rest.starts_with(" ("))
    };
    assert!(problems.iter().any(is_named), "no {path} of {objects}: {problems:?}");
    let is_of_text = |problem: &String| problem.contains("canary") || problem.contains("YAML");
    assert!(!problems.iter().any(is_of_text), "{objects}: {problems:?}");
}

#[test]
fn a_list_in_place_of_any_text_of_an_entry_is_named_with_its_path() {
    const NESTED: [&str; 5] = ["jmesPath", "outputs", "combine", "find", "rewrite"];
    let secret = [("objectName", "a"), ("objectType", "secret")];
    let find = [("objectType", "secret"), ("find", "{name: '*'}")];
    let combine = "{format: json, items: [{key: k, objectName: a}]}";
    for shape in [
        secret.to_vec(),
        [&secret[..], &[("objectVersionHistory", "2")]].concat(),
        [&secret[..], &[("extract", "json")]].concat(),
        [&secret[..], &[("jmesPath", "[{path: k, objectAlias: f}]")]].concat(),
        [&secret[..], &[("outputs", "tls-pem")]].concat(),
        [&secret[..], &[("outputs", "[{objectAlias: f, content: key}]")]].concat(),
        find.to_vec(),
        [&find[..], &[("extract", "json")]].concat(),
        [&find[..], &[("outputs", "tls-pem")]].concat(),
        vec![("objectAlias", "f"), ("combine", combine)],
    ] {
        for key in ENTRY_FIELDS.iter().filter(|key| !NESTED.contains(key)) {
            assert_named(&format!("- {}\n", with_list(&shape, key)), &format!("objects[0].{key}"));
        }
    }
}

#[test]
fn a_list_in_place_of_any_text_of_a_nested_map_is_named_with_its_path() {
    const SECRET: &str = "objectName: a, objectType: secret";
    for key in JMES_PATH_FIELDS {
        let item = with_list(&[("path", "k"), ("objectAlias", "f")], key);
        let path = format!("objects[0].jmesPath[0].{key}");
        assert_named(&format!("- {{{SECRET}, jmesPath: [{item}]}}\n"), &path);
    }
    for key in OUTPUT_FIELDS {
        let item = with_list(&[("objectAlias", "f"), ("content", "keystore")], key);
        let path = format!("objects[0].outputs[0].{key}");
        assert_named(&format!("- {{{SECRET}, outputs: [{item}]}}\n"), &path);
    }
    for key in COMBINE_ITEM_FIELDS {
        let item = with_list(&[("key", "k"), ("objectName", "a")], key);
        let path = format!("objects[0].combine.items[0].{key}");
        assert_named(&format!("- {{objectAlias: f, combine: {{format: json, items: [{item}]}}}}\n"), &path);
    }
    for (fields, path) in [
        ("find: {name: a, contentType: [canary]}", "find.contentType"),
        ("find: {name: a, managed: [canary]}", "find.managed"),
        ("find: {name: {regexp: [canary]}}", "find.name.regexp"),
        ("find: {tags: {env: [canary]}}", "find.tags.\"env\""),
        ("find: {name: a}, rewrite: [{regexp: {source: [canary], target: b}}]", "rewrite[0].regexp.source"),
        ("find: {name: a}, rewrite: [{regexp: {source: a, target: [canary]}}]", "rewrite[0].regexp.target"),
    ] {
        let class = format!("- {{objectType: secret, {fields}}}\n");
        assert_named(&class, &format!("objects[0].{path}"));
        assert_eq!(error_text(&class), format!("objects[0].{path}: is a list, not a text"));
    }
}

#[test]
fn yaml_that_the_parser_refuses_is_reported_before_a_list_in_place_of_a_text() {
    for (yaml, cause) in [
        ("- {objectName: [a], objectType: secret}\n- {", "objects: is not the YAML of a list"),
        ("- {objectName: [a], objectName: b}\n", "duplicate mapping key: objectName"),
        (
            "- |\n  objectName: [a\n  objectType: secret\n",
            "objects[0]: is not the YAML of an object's fields",
        ),
    ] {
        let message = error_text(yaml);
        assert!(message.contains(cause), "{message}");
    }
}

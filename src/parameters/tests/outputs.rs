//! Tests of `outputs` and `sourcePasswordObject`.

use crate::spec::{
    absence::Presence,
    object::ObjectSpec,
    output::{CertificateOutput, KeyEncoding, Output, Outputs, Part, PartFormat, SecretOutput, StoreProfile},
    rendering::SecretEncoding,
    shape::Shape,
};

use super::*;

fn objects(yaml: &str) -> Result<Vec<ObjectSpec>, ParametersError> {
    mount(&[("objects", Some(yaml))]).map(|spec| spec.objects.to_vec())
}

/// Parses an entry of object `web` with these further fields.
fn entry(object_type: &str, fields: &str) -> Result<Outputs, ParametersError> {
    let fields = format!("objectName: web\nobjectType: {object_type}\n{fields}").replace('\n', "\n  ");
    objects(&format!("array:\n- |\n  {fields}\n")).map(|mut objects| match objects.remove(0).shape {
        Shape::Outputs(shape) => shape.outputs,
        other => panic!("{other:?}"),
    })
}

fn items(fields: &str) -> Vec<Output<SecretOutput>> {
    match entry("secret", fields).unwrap() {
        Outputs::Secret { items, .. } => items,
        other => panic!("{other:?}"),
    }
}

fn problems(object_type: &str, fields: &str) -> Vec<String> {
    entry(object_type, fields).unwrap_err().problems().iter().map(ToString::to_string).collect()
}

#[test]
fn tls_pem_is_three_files_in_a_directory() {
    for (fields, paths) in [
        ("outputs: tls-pem", ["web/tls.crt", "web/tls.key", "web/ca.crt"]),
        ("outputs: tls-pem\nobjectAlias: a/b/", ["a/b/tls.crt", "a/b/tls.key", "a/b/ca.crt"]),
        ("outputs: 'tls-pem'\nobjectAlias: ./", ["tls.crt", "tls.key", "ca.crt"]),
    ] {
        let items = items(&format!("{fields}\nfilePermission: 0440"));
        assert_eq!(items.iter().map(|item| item.path.as_str()).collect::<Vec<_>>(), paths, "{fields}");
        assert!(items.iter().all(|item| item.mode.is_some_and(|mode| mode.bits() == 0o440)), "{fields}");
        let contents: Vec<_> = items.iter().map(|item| (item.content.clone(), item.presence)).collect();
        let expected = [
            (Part::FullChain, Presence::Required),
            (Part::Key(KeyEncoding::Pkcs8, PartFormat::Pem), Presence::Required),
            (Part::Ca(PartFormat::Pem), Presence::Optional),
        ];
        assert_eq!(contents, expected.map(|(part, presence)| (SecretOutput::Part(part), presence)));
    }
}

#[test]
fn items_are_listed_in_blocks_and_in_flow_style() {
    let block = items(
        "outputs:\n- objectAlias: a\n  content: key\n  format: der\n  keyEncoding: PKCS1\n  filePermission: 0400\n- \
         objectAlias: b\n  content: keystore\n  passwordObject: p\n  alias: my app\n  profile: LegacyDES\n  optional: t",
    );
    let flow = items(
        "outputs: [{objectAlias: a, content: key, format: der, keyEncoding: PKCS1, filePermission: 0400}, {objectAlias: b, \
         content: keystore, passwordObject: p, alias: my app, profile: LegacyDES, optional: 'true'}]",
    );
    assert_eq!(block, flow);
    assert_eq!(block[0].content, SecretOutput::Part(Part::Key(KeyEncoding::Traditional, PartFormat::Der)));
    let store = block[1].content.store().unwrap();
    assert_eq!((store.alias.as_str(), store.profile), ("my app", StoreProfile::LegacyDes));
    assert_eq!(store.password.as_ref().map(ToString::to_string).as_deref(), Some("p"));
    assert_eq!(block[1].presence, Presence::Optional);
}

#[test]
fn each_content_has_its_formats_and_the_first_is_the_default() {
    for (content, formats) in [
        ("key", &["pem", "der"][..]),
        ("leaf", &["pem", "der"]),
        ("chain", &["pem"]),
        ("fullChain", &["pem"]),
        ("ca", &["pem", "der"]),
        ("combined", &["pem"]),
        ("keystore", &["pkcs12"]),
        ("truststore", &["pkcs12", "pem"]),
        ("value", &["raw"]),
        ("metadata", &["json"]),
    ] {
        let item = |format: &str| format!("outputs: [{{objectAlias: a, content: {content}{format}}}]");
        let default = items(&item(""));
        assert_eq!(items(&item(&format!(", format: {}", formats[0]))), default, "{content}");
        for format in ["pem", "der", "pkcs12", "raw", "json", "PEM", "pfx"] {
            let parsed = entry("secret", &item(&format!(", format: {format}")));
            assert_eq!(parsed.is_ok(), formats.contains(&format), "{content} as {format}");
        }
    }
}

#[test]
fn an_encoding_applies_to_values_alone() {
    let list = "objectEncoding: hex\noutputs: [{objectAlias: a, content: value}, {objectAlias: b, content: metadata}]";
    assert_eq!(items(list)[0].content, SecretOutput::Value(SecretEncoding::Hex));
    let problems = problems("secret", "objectEncoding: hex\noutputs: tls-pem");
    assert_eq!(problems, ["objects[0].objectEncoding (web): is only for content value, which no output has"]);
}

#[test]
fn certificates_and_keys_have_contents_of_their_own() {
    let list = |contents: &[&str]| {
        let item = |(index, content)| format!("{{objectAlias: a{index}, content: {content}}}");
        let items: Vec<_> = contents.iter().enumerate().map(item).collect();
        format!("outputs: [{}]", items.join(", "))
    };
    let Outputs::Certificate(items) = entry("cert", &list(&["leaf", "value", "metadata"])).unwrap() else {
        panic!("not a certificate")
    };
    assert_eq!(items[0].content, CertificateOutput::Leaf(PartFormat::Pem));
    assert!(entry("key", &list(&["value", "metadata"])).is_ok());
    assert_eq!(
        problems("cert", &list(&["key", "leaf", "ca"])),
        [
            "objects[0].outputs[0].content (web): \"key\" is only for objectType secret; objectType cert has leaf, value \
             and metadata",
            "objects[0].outputs[2].content (web): \"ca\" is only for objectType secret; objectType cert has leaf, value \
             and metadata",
        ]
    );
    assert_eq!(
        problems("key", "outputs: tls-pem\nsourcePasswordObject: p"),
        [
            "objects[0].sourcePasswordObject (web): is only for objectType secret, not for objectType key",
            "objects[0].outputs (web): tls-pem is only for objectType secret; objectType key has value and metadata",
        ]
    );
}

#[test]
fn every_mistake_of_an_item_is_named_with_its_path() {
    let list = "outputs:\n- objectAlias: ../a\n  content: key\n  alias: x\n- content: chian\n- objectAlias: c\n  content: \
                leaf\n  keyEncoding: PKCS1\n  passwordObjekt: hunter2\n- text\n- objectAlias: e\n  content: truststore\n  \
                format: pem\n  passwordObject: p\n  profile: Modern\n-\n- objectAlias: g\n  content: keystore\n  alias: \
                \"a\\nb\"\n  passwordObject: p_p";
    assert_eq!(
        problems("secret", list),
        [
            "objects[0].outputs[0].objectAlias (web): \"../a\" must not contain \"..\"",
            "objects[0].outputs[0].alias (web): is only for content keystore and truststore in PKCS#12, not for key",
            "objects[0].outputs[1].objectAlias (web): is not set",
            "objects[0].outputs[1].content (web): \"chian\" is unknown; use key, leaf, chain, fullChain, ca, combined, \
             keystore, truststore, value or metadata",
            "objects[0].outputs[2].passwordObjekt (web): is an unknown field; did you mean passwordObject?",
            "objects[0].outputs[2].keyEncoding (web): is only for content key and combined, not for leaf",
            "objects[0].outputs[3] (web): is a text, not a map; an item looks like {objectAlias: web.key, content: key}",
            "objects[0].outputs[4].passwordObject (web): is only for content keystore and truststore in PKCS#12, not for \
             truststore",
            "objects[0].outputs[4].profile (web): is only for content keystore and truststore in PKCS#12, not for \
             truststore",
            "objects[0].outputs[5] (web): is empty; an item looks like {objectAlias: web.key, content: key}",
            "objects[0].outputs[6].passwordObject (web): \"p_p\" must be 1 to 127 letters, digits and dashes",
            "objects[0].outputs[6].alias (web): \"a\\nb\" is not an alias; use 1 to 128 bytes without control characters and \
             without emoji",
        ]
    );
}

#[test]
fn a_mistake_in_outputs_does_not_hide_others() {
    for (object_type, fields, expected) in [
        (
            "secret",
            "outputs: [{objectAlias: a, content: chian, format: pfx, keyEncoding: x, alias: '', passwordObject: \
             p_p, profile: Old}]",
            &[
                "outputs[0].content",
                "outputs[0].format",
                "outputs[0].keyEncoding",
                "outputs[0].passwordObject",
                "outputs[0].profile",
            ][..],
        ),
        (
            "cert",
            "sourcePasswordObject: p_p\noutputs: [{objectAlias: ../a, content: leaf}, {objectAlias: b, content: key}]",
            &["sourcePasswordObject", "outputs[0].objectAlias", "sourcePasswordObject", "outputs[1].content"],
        ),
        (
            "secret",
            "sourcePasswordObject: p_p\nobjectEncoding: hex\noutputs: [{objectAlias: ../a, content: key}]",
            &["sourcePasswordObject", "outputs[0].objectAlias", "objectEncoding"],
        ),
        (
            "secret",
            "objectEncoding: hex\noutputs: [{objectAlias: a, content: chian}]",
            &["outputs[0].content"],
        ),
    ] {
        let found = problems(object_type, fields);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("objects[0].{expected} (web): ")), "{found}");
        }
    }
}

#[test]
fn a_password_does_not_hide_a_misspelt_field() {
    let found = problems(
        "secret",
        "outputs: [{objectAlias: k, content: key, password: s, formt: der, Password: canary}]",
    );
    let reason = "is not a field, because the class is plain text; name a secret in passwordObject";
    assert_eq!(
        found,
        [
            format!("objects[0].outputs[0].password (web): {reason}"),
            "objects[0].outputs[0].formt (web): is an unknown field; did you mean format?".to_owned(),
            format!("objects[0].outputs[0].Password (web): {reason}"),
        ]
    );
}

#[test]
fn other_shapes_cannot_stand_beside_outputs() {
    let fields = "outputs: tls-pem\nobjectFormat: pem\ndefault: x\njmesPath: [{path: a, objectAlias: a}]\nextract: json\n\
                  objectVersionHistory: 2";
    assert_eq!(
        problems("secret", fields),
        [
            "objects[0].objectFormat (web): is not for an entry with outputs; set the format of its outputs",
            "objects[0].default (web): is not for an entry with outputs; set optional: true instead",
            "objects[0].jmesPath (web): is not for an entry with outputs; name the keys in an entry of their own",
            "objects[0].extract (web): is not for an entry with outputs; name the keys in an entry of their own",
            "objects[0].objectVersionHistory (web): is not for an entry with outputs; choose one version",
        ]
    );
    assert_eq!(
        problems("secret", "sourcePasswordObject: p"),
        ["objects[0].sourcePasswordObject (web): is only for an entry with outputs"]
    );
}

#[test]
fn outputs_and_stores_are_bounded() {
    let list = |count: usize, entry: usize| {
        let item = |index| format!("{{objectAlias: s{entry}-{index}, content: keystore}}");
        format!("outputs: [{}]", (0..count).map(item).collect::<Vec<_>>().join(", "))
    };
    assert!(entry("secret", &list(20, 0)).is_ok());
    for (count, reason) in
        [(0, "has 0 items; an entry has 1 to 20"), (21, "has 21 items; an entry has 1 to 20")]
    {
        assert_eq!(problems("secret", &list(count, 0)), [format!("objects[0].outputs (web): {reason}")]);
    }
    let class = |entries: usize| {
        let entry = |index| format!("- {{objectName: web, objectType: secret, {}}}\n", list(20, index));
        objects(&(0..entries).map(entry).collect::<String>())
    };
    assert!(class(10).is_ok());
    let error = class(11).unwrap_err().to_string();
    assert!(error.contains("has 220 PKCS#12 stores, more than the 200 that one mount may have"), "{error}");
}

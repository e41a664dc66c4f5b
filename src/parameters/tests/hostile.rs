//! Input that only an attacker sends.

use super::*;

const MEGABYTE: usize = 1 << 20;

/// Nearly as long as all texts of a mount may be.
const LONG: usize = MAX_BYTES - (16 << 10);

fn objects(text: &str) -> Result<MountSpec, ParametersError> {
    mount(&[("objects", Some(text))])
}

/// The length of a message must not depend on the input.
#[track_caller]
fn assert_refused_briefly(result: Result<MountSpec, ParametersError>, mentions: &[&str]) {
    let length = result.as_ref().map_err(ToString::to_string).expect_err("should be refused").len();
    assert!(length < 2_000, "a message of {length} bytes");
    assert_refused(result, Fault::Request, mentions);
}

#[test]
fn nested_lists_and_maps_are_refused_at_any_depth() {
    for text in [
        "[".repeat(LONG),
        "{a: ".repeat(LONG / 4),
        "- ".repeat(LONG / 2),
        format!("array:\n- objectName: {}", "[".repeat(10_000)),
        format!("array:\n- other: {}{}", "[".repeat(40), "]".repeat(40)),
    ] {
        assert_refused_briefly(objects(&text), &["objects: is not the YAML"]);
    }
    let entry = format!("array:\n- |\n  objectName: {}", "[".repeat(10_000));
    assert_refused_briefly(objects(&entry), &["objects[0]: is not the YAML"]);
}

/// A list in place of a text is read, and its content is not kept.
#[test]
fn a_long_list_in_place_of_a_text_is_refused_briefly() {
    let entry = |alias: &str| format!("- {{objectName: a, objectType: secret, objectAlias: {alias}}}\n");
    let long = format!("[{}]", "x,".repeat(40_000));
    assert_refused_briefly(objects(&entry(&long)), &["objects[0].objectAlias (a): is a list, not a text"]);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_refused_briefly(objects(&entry(&deep)), &["objects: is not the YAML"]);
    let many = entry("&a [1]") + &entry("*a").repeat(999);
    let error = objects(&many).unwrap_err();
    assert_eq!(error.problems().len(), 1_000);
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..20 {
        let below = format!("*a{},", level - 1).repeat(10);
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    assert_refused_briefly(objects(&format!("{laughs}array: *a19\n")), &["is not the YAML"]);

    // Few aliases of a long text: the limit counts the expanded text.
    let long = "x".repeat(LONG);
    let few = format!("long: &long {long}\narray:\n{}", "- *long\n".repeat(90));
    assert_refused_briefly(objects(&few), &["is not the YAML"]);

    assert_refused_briefly(objects("array: &a\n- *a\n"), &["is not the YAML"]);
}

/// The parser copies what an anchor names once more for each anchor around it.
#[test]
fn anchors_within_anchors_are_bounded_by_the_length_of_the_text() {
    let (mut open, mut close) = (String::new(), String::new());
    for level in 0..14 {
        open += &format!("&a{level} [");
        close += "]";
    }
    let repeated = format!("&z [{}],{}", "!a \"\\t\",".repeat(98), "*z,".repeat(600));
    let text = format!(
        "x: {open}{repeated}{close}\narray:\n- {{objectName: a, objectType: secret}}\n# {}",
        "c".repeat(60_000)
    );
    assert_refused_briefly(objects(&text), &["is not the YAML"]);
    // As deep as a class that reuses a part of a part.
    let usual = "array:\n- &e\n  objectName: a\n  objectType: &t secret\n- {<<: *e, objectName: b}\n- {objectName: c, objectType: *t}\n";
    assert_eq!(objects(usual).unwrap().objects.len(), 3);
}

/// Otherwise each of thousands of short texts would have four thousand nodes of its own.
#[test]
fn texts_of_entries_share_what_aliases_may_add() {
    let entry =
        "x: [&a [1,1,1,1],&b [*a,*a,*a,*a],&c [*b,*b,*b,*b],&d [*c,*c,*c,*c],&e [*d,*d,*d,*d],*e,*d,*d]";
    let text = |aliases: usize| format!("[&a '{entry}'{}]", ",*a".repeat(aliases));
    let error = objects(&text(400)).unwrap_err();
    let budgets =
        error.problems().iter().filter(|problem| problem.to_string().contains("is not the YAML")).count();
    assert_eq!(budgets, 400, "all but the first one");
    // As many texts with aliases of a usual size are taken.
    let usual: String = (0..200)
        .map(|index| format!("- |\n  objectName: &n s{index}\n  objectType: secret\n  objectAlias: *n\n"))
        .collect();
    assert_eq!(objects(&usual).unwrap().objects.len(), 200);
}

/// Otherwise two kilobytes would become 300 MiB before they are counted.
#[test]
fn entries_beyond_a_bound_are_counted_and_not_parsed() {
    let rewrite = "{regexp: {source: '(?:a{99}){20}', target: ''}},".repeat(8);
    let find = format!("- &f {{objectType: secret, find: {{name: '*'}}, rewrite: [{rewrite}]}}\n");
    let finds = format!("{find}{}# {}", "- *f\n".repeat(299), "c".repeat(60_000));
    assert_refused_briefly(objects(&finds), &["too large together"]);
    let small = "- &f {objectType: secret, find: {name: '*'}}\n".to_owned() + &"- *f\n".repeat(299);
    assert_refused_briefly(objects(&small), &["has 300 entries with find, more than the 20"]);
    let items: String = (0..200).map(|key| format!("{{key: k{key}, objectName: a}},")).collect();
    let combine = format!("- &c {{objectAlias: a, combine: {{format: json, items: [{items}]}}}}\n");
    let combines = format!("{combine}{}# {}", "- *c\n".repeat(24), "c".repeat(60_000));
    assert_refused_briefly(objects(&combines), &["names 5000 objects, more than the 4000"]);
}

/// Each entry is an alias of one with a hundred items, and unused anchors hide how few anchors there are.
#[test]
fn a_class_of_six_kilobytes_does_not_become_megabytes() {
    let items = "{optional: 1},".repeat(100);
    let anchors: String = (0..41).map(|index| format!("- &x{index}\n")).collect();
    let entry = format!("- &e {{objectName: s, objectType: secret, jmesPath: [{items}]}}\n");
    let text = format!("{anchors}{entry}{}", "- *e\n".repeat(330));
    assert_refused_briefly(objects(&text), &["objects: is not the YAML", "budget"]);
    // A long default, shared by all items of an entry that is shared as well.
    let items = "{path: a, objectAlias: b, default: *d},".repeat(40);
    let entry = format!("- &e {{objectName: s, objectType: secret, jmesPath: [{items}]}}\n");
    let text = format!("- &d {}\n{entry}{}", "x".repeat(4_096), "- *e\n".repeat(60));
    assert_refused_briefly(objects(&text), &["objects: is not the YAML", "budget"]);
}

#[test]
fn hundreds_of_entries_may_share_an_anchor() {
    let fields = |index| {
        let shared = if index == 0 { "&mode \"0600\"" } else { "*mode" };
        format!("- {{objectName: s{index}, objectType: secret, filePermission: {shared}}}\n")
    };
    assert_eq!(objects(&(0..250).map(fields).collect::<String>()).unwrap().objects.len(), 250);

    let shared = "objectType: secret, filePermission: \"0600\", objectEncoding: base64, optional: \"true\", \
                  keyvaultName: other";
    let merged = |index| format!("- {{<<: *shared, objectName: s{index}}}\n");
    let text = format!("shared: &shared {{{shared}}}\narray:\n{}", (0..250).map(merged).collect::<String>());
    let spec = objects(&text).unwrap();
    assert_eq!(spec.objects.len(), 250);
    assert!(spec.objects.iter().all(|object| object.vault.is_some()));
}

#[test]
fn items_of_all_entries_together_are_bounded() {
    let entry = |name: usize, items: usize| {
        let items: String =
            (0..items).map(|item| format!("{{path: k, objectAlias: e{name}/{item}}}, ")).collect();
        format!("- {{objectName: s, objectType: secret, jmesPath: [{items}]}}\n")
    };
    let most: String = (0..40).map(|name| entry(name, 100)).collect();
    objects(&most).unwrap();
    let mentions = ["more than the 4000 items of jmesPath and outputs"];
    assert_refused_briefly(objects(&(most + &entry(40, 1))), &mentions);
}

#[test]
fn megabytes_of_objects_are_refused_without_parsing() {
    let text = format!("{ONE_SECRET}# {}", "x".repeat(3 * MEGABYTE));
    assert_refused_briefly(
        objects(&text),
        &["attributes: the SecretProviderClass", "longer than 524288 bytes"],
    );
    let secrets = "x".repeat(MEGABYTE);
    let texts = MountTexts { attributes: "{}", secrets: &secrets, permission: "420" };
    assert_refused_briefly(parse(texts), &["secrets: the SecretProviderClass", "longer than 524288 bytes"]);
    let long = format!("array:\n- |\n  objectName: {}\n  objectType: secret\n", "x".repeat(LONG));
    assert_refused_briefly(objects(&long), &["objects[0].objectName", "must be 1 to 127"]);
    let key = format!("array:\n- |\n  ? {0}\n  : 1\n  ? {0}\n  : 2\n", "k".repeat(LONG / 2));
    assert_refused_briefly(objects(&key), &["objects[0]: is not the YAML"]);
}

#[test]
fn more_than_four_thousand_objects_are_refused() {
    let entry = "- {objectName: a, objectType: secret}\n";
    assert!(objects(&entry.repeat(4_000)).is_ok());
    assert_refused_briefly(objects(&entry.repeat(4_001)), &["names 4001 objects, more than the 4000"]);
}

#[test]
fn of_thousands_of_problems_the_first_are_reported_and_all_are_counted() {
    let error = objects(&"- {}\n".repeat(4_000)).unwrap_err();
    assert_eq!(error.problems().len(), 1_000);
    let message = error.to_string();
    assert!(message.contains(": 8000 problems: objects[0].objectName: is not set; "), "{message:.200}");
    assert!(message.ends_with("; and 7000 more"));
}

#[test]
fn nested_attributes_are_refused_at_any_depth() {
    for text in ["[", "{\"a\":", "[{\"a\":"].map(|open| open.repeat(LONG / 8)) {
        let texts = |attributes, secrets| MountTexts { attributes, secrets, permission: "420" };
        assert_refused_briefly(parse(texts(&text, "null")), &["attributes: not a JSON map of strings"]);
        assert_refused_briefly(parse(texts("{}", &text)), &["secrets: not a JSON map of strings"]);
        let tokens = mount(&[("csi.storage.k8s.io/serviceAccount.tokens", Some(&text))]);
        assert_refused(tokens, Fault::Cluster, &["not a JSON map of audiences"]);
    }
    let ignored = format!("{{\"other\":{}", "[".repeat(LONG));
    let tokens = mount(&[("csi.storage.k8s.io/serviceAccount.tokens", Some(&ignored))]);
    assert_refused(tokens, Fault::Cluster, &["not a JSON map of audiences"]);
}

/// Compat: Go's JSON parser, and so the driver, keeps the later value.
#[test]
fn the_later_of_two_equal_attributes_wins() {
    let attributes = serde_json::json!({
        "csi.storage.k8s.io/pod.name": "web-0", "csi.storage.k8s.io/pod.namespace": "shop",
        "keyvaultName": "one", "tenantId": "t", "useVMManagedIdentity": "true", "objects": ONE_SECRET,
    });
    let twice = attributes.to_string().replacen('}', ",\"keyvaultName\":\"two\"}", 1);
    let spec = parse(MountTexts { attributes: &twice, secrets: "null", permission: "420" }).unwrap();
    assert_eq!(spec.vault.as_str(), "two");
}

#[test]
fn megabytes_in_an_attribute_are_not_repeated_in_the_answer() {
    let long = "é".repeat(LONG / 2);
    for key in [
        "keyvaultName",
        "tenantId",
        "cloudName",
        "clientID",
        "useVMManagedIdentity",
        "csi.storage.k8s.io/pod.name",
        "csi.storage.k8s.io/pod.namespace",
    ] {
        assert_refused_briefly(mount(&[(key, Some(&long))]), &[key]);
    }
    let texts = MountTexts { attributes: "{}", secrets: "null", permission: &"7".repeat(LONG) };
    assert_refused_briefly(parse(texts), &["permission"]);
}

/// Log lines contain the pod's name unescaped.
#[test]
fn a_pod_cannot_write_log_lines_by_its_name() {
    for name in ["web-0\n2026-01-01T00:00:00Z  WARN forged", "web\u{1b}[2J", "we\rb"] {
        for key in ["csi.storage.k8s.io/pod.name", "csi.storage.k8s.io/pod.namespace"] {
            assert_refused(mount(&[(key, Some(name))]), Fault::Request, &[key, "is no name of Kubernetes"]);
        }
    }
}

#[test]
fn every_vault_name_that_is_accepted_makes_a_url_in_every_cloud() {
    assert!(reqwest::Url::parse("https://xn--a.vault.azure.net/").is_err(), "the label is invalid");
    let cloud = crate::cloud::CloudEnvironment::named(CloudName::Public);
    for name in ["xn--a", "XN--zzzzzzzz-", "xn--0", "1--1", "a--b", "0x7f", "127", "xn-1", "aaa--bbb"] {
        match mount(&[("keyvaultName", Some(name))]) {
            Ok(spec) => {
                let url = cloud.vault(&spec.vault).url;
                let host = format!("{}.vault.azure.net", name.to_ascii_lowercase());
                assert_eq!(url.host_str(), Some(host.as_str()), "{name}");
            }
            Err(error) => assert!(error.to_string().contains("must not begin with xn--"), "{name}: {error}"),
        }
    }
}

/// Requests for such a name would be retried in DNS, and the failure would blame the network.
#[test]
fn a_vault_name_with_a_dash_at_its_end_is_refused_wherever_a_vault_is_named() {
    for name in ["-ab", "ab-", "---"] {
        let entry = format!("- {{objectName: a, objectType: secret, keyvaultName: {name:?}}}");
        for (key, value, field) in [
            ("keyvaultName", name, "keyvaultName"),
            ("failoverVault", name, "failoverVault"),
            ("objects", &entry, "objects[0].keyvaultName (a)"),
        ] {
            let message =
                format!("{field}: invalid vault name {name:?}: must begin and end with a letter or digit");
            assert_refused(mount(&[(key, Some(value))]), Fault::Request, &[&message]);
        }
    }
}

/// The YAML parser's errors quote the input.
#[test]
fn a_class_cannot_write_log_lines_by_its_keys() {
    for key in ["a\\u001b[2J", "a\\nb", "a\\rb", "a\\u0085b", "a\\u2028b"] {
        let text = format!("- {{\"{key}\": 1, \"{key}\": 2}}\n");
        let message = objects(&text).unwrap_err().to_string();
        assert!(!message.contains(|c: char| c.is_control() || c == '\u{2028}'), "{message:?}");
    }
}

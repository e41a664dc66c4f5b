//! Compares the documentation with the software: each documented name exists, and each existing name is documented.

mod pages;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use akv_provider::{
    cli::FLAGS,
    failure::FailureCode,
    parameters::{
        COMBINE_FIELDS, COMBINE_ITEM_FIELDS, ENTRY_FIELDS, FIND_FIELDS, FIND_NAME_FIELDS, MountTexts,
        OUTPUT_FIELDS, PARAMETERS, REWRITE_FIELDS, REWRITE_REGEXP_FIELDS, parse,
    },
    server::status,
    spec::output::ContentWord,
};
use serde::Deserialize;

use self::pages::{anchors, blocks, docs, links, page, pages, read, section, source, spans, table};

#[test]
fn every_flag_is_documented_and_no_other() {
    let text = page("flags.md");
    let known: BTreeSet<&str> = FLAGS.iter().map(|flag| flag.name).collect();
    let documented: BTreeSet<&str> = spans(&text)
        .filter_map(|span| span.strip_prefix("--"))
        .map(|flag| flag.split(['=', ' ']).next().unwrap_or_default())
        .collect();
    assert_eq!(known, documented);
}

#[test]
fn defaults_of_flags_are_those_of_the_software() {
    let text = page("flags.md");
    for flag in
        FLAGS.iter().filter(|flag| !flag.default.is_empty() && !["help", "h", "version"].contains(&flag.name))
    {
        let row = text
            .lines()
            .find(|line| line.starts_with(&format!("| `--{}` ", flag.name)))
            .unwrap_or_else(|| panic!("no row for --{}", flag.name));
        let default = row.split('|').nth(2).unwrap_or_default().trim();
        assert_eq!(default, format!("`{}`", flag.default), "--{}", flag.name);
    }
}

#[test]
fn every_parameter_is_documented() {
    let text = page("parameters.md");
    let documented: BTreeSet<&str> = spans(&text).collect();
    assert!(PARAMETERS.contains(&"keyvaultName"));
    for name in PARAMETERS {
        assert!(documented.contains(name), "parameter {name} is not documented");
    }
}

#[test]
fn every_field_of_an_object_is_documented() {
    let text = page("parameters.md");
    assert!(ENTRY_FIELDS.contains(&"objectName"));
    for field in ENTRY_FIELDS {
        assert!(text.contains(&format!("\n| `{field}` |")), "{field} is not in the table of fields");
        assert!(text.contains(&format!("\n#### {field}\n")), "{field} has no section of its own");
    }
    for field in OUTPUT_FIELDS {
        assert!(text.contains(&format!("\n| `{field}` |")), "{field} of outputs is not in a table");
    }
    for field in COMBINE_ITEM_FIELDS {
        let section = text.split("\n#### combine\n").nth(1).unwrap_or_default();
        assert!(section.contains(&format!("\n| `{field}` |")), "{field} of combine is not in a table");
    }
    for field in COMBINE_FIELDS {
        assert!(text.contains(&format!("`{field}`")), "{field} of combine is not named");
    }
    for (section, fields) in [
        ("find", &[FIND_FIELDS, FIND_NAME_FIELDS][..]),
        ("rewrite", &[REWRITE_FIELDS, REWRITE_REGEXP_FIELDS]),
    ] {
        let text = text.split(&format!("\n#### {section}\n")).nth(1).unwrap_or_default();
        for field in fields.iter().copied().flatten() {
            assert!(text.contains(&format!("`{field}")), "{field} of {section} is not named");
        }
    }
    for content in ContentWord::WORDS {
        assert!(text.contains(&format!("\n| `{content}` |")), "content {content} is not in a table");
    }
}

/// A class that goes back to provider-azure must not change its files without a word in the documentation.
#[test]
fn every_name_that_provider_azure_does_not_know_has_its_way_back() {
    // provider-azure, `pkg/provider/types/types.go`.
    const FIELDS: [&str; 8] = [
        "objectName",
        "objectAlias",
        "objectVersion",
        "objectVersionHistory",
        "objectType",
        "objectFormat",
        "objectEncoding",
        "filePermission",
    ];
    const KNOWN_PARAMETERS: [&str; 11] = [
        "keyvaultName",
        "cloudName",
        "usePodIdentity",
        "useVMManagedIdentity",
        "userAssignedIdentityID",
        "tenantID",
        "tenantId",
        "cloudEnvFileName",
        "clientID",
        "useAzureTokenProxy",
        "objects",
    ];
    let text = page("migration.md");
    let named = |heading| -> BTreeSet<String> {
        table(section(&text, heading)).iter().flat_map(|row| spans(&row[0]).map(str::to_owned)).collect()
    };
    let (fields, parameters) =
        (named("## Fields that provider-azure does not know"), named("## Back to provider-azure"));
    let new = |all: &[&'static str], known: &[&str]| -> Vec<&str> {
        all.iter().copied().filter(|name| !known.contains(name)).collect()
    };
    let new_fields = new(ENTRY_FIELDS, &FIELDS);
    assert!(new_fields.contains(&"outputs") && new_fields.contains(&"keyvaultName"), "{new_fields:?}");
    for field in &new_fields {
        assert!(fields.contains(*field), "{field} has no row");
        assert!(
            text.contains(&format!("{field}:|")) || text.contains(&format!("|{field}:")),
            "{field} is not searched for"
        );
    }
    // The driver's own attributes are the same for each provider.
    for parameter in new(PARAMETERS, &KNOWN_PARAMETERS).iter().filter(|name| !name.contains('/')) {
        assert!(parameters.contains(*parameter), "parameter {parameter} has no row");
    }
}

#[test]
fn every_secret_provider_class_of_the_documentation_is_accepted() {
    let mut classes = 0;
    for (name, text) in pages() {
        for block in blocks(&text, "yaml") {
            for document in
                block.split("\n---\n").filter(|document| document.contains("kind: SecretProviderClass"))
            {
                let class: SecretProviderClass = serde_saphyr::from_str(document)
                    .unwrap_or_else(|error| panic!("{name}: {error}\n{document}"));
                assert_eq!(class.spec.provider, "azure", "{name}");
                accept(&name, class.spec.parameters);
                classes += 1;
            }
            // A bare list of objects: the value of `objects: |`.
            if ["array:", "- objectName:", "{\"array\""].iter().any(|start| block.starts_with(start)) {
                let mut parameters: BTreeMap<String, String> =
                    [("keyvaultName", "demo"), ("tenantID", "11111111-2222-3333-4444-555555555555")]
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .into();
                parameters.insert("objects".to_owned(), block);
                accept(&name, parameters);
            }
        }
    }
    assert!(classes >= 8, "only {classes} classes were found");
}

#[test]
fn every_answer_is_documented_and_the_forbidden_ones_are_named() {
    let text = page("errors.md");
    let answered: BTreeSet<String> =
        FailureCode::ALL.iter().map(|code| format!("{:?}", status::answered(*code))).collect();
    assert!(answered.contains("FailedPrecondition"), "{answered:?}");
    for code in &answered {
        assert!(text.contains(&format!("\n| `{code}` |")), "{code} is not in the table");
    }
    // The RPC framework spells the first of them with two l.
    assert!(!answered.contains("Cancelled"), "{answered:?}");
    for code in ["Canceled", "DeadlineExceeded", "Unavailable", "ResourceExhausted", "Aborted"] {
        assert!(!answered.contains(code), "{code} must never be answered");
        assert!(text.contains(&format!("`{code}`")), "{code} is not named");
        assert!(!text.contains(&format!("\n| `{code}` |")), "{code} is in the table");
    }
}

#[test]
fn every_failure_code_has_a_section_with_its_answer_and_no_other_has() {
    let text = page("codes.md");
    let known: BTreeMap<String, String> = FailureCode::ALL
        .iter()
        .map(|code| (code.to_string(), format!("{:?}", status::answered(*code))))
        .collect();
    let documented: BTreeMap<String, String> = text
        .split("\n### ")
        .skip(1)
        .map(|section| {
            let (code, rest) = section.split_once('\n').unwrap_or_default();
            for part in ["\n**Check:**", "\n**Change:**"] {
                assert_eq!(rest.matches(part).count(), 1, "{code}:{part}");
            }
            (code.to_owned(), spans(rest).next().unwrap_or_default().to_owned())
        })
        .collect();
    assert_eq!(known, documented);
}

#[test]
fn no_page_names_an_unknown_failure_code() {
    let known: BTreeSet<&str> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
    let readme = ("../README.md".to_owned(), source("README.md"));
    for (name, text) in pages().into_iter().chain([readme]) {
        for rest in text.split("AKV-").skip(1) {
            let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
            let code = format!("AKV-{word}");
            assert!(word.is_empty() || known.contains(code.as_str()), "{name} names {code}");
        }
    }
}

#[test]
fn each_row_of_the_fault_matrix_names_its_test_and_each_test_has_a_row() {
    let text = page("faults.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && !is_head(line)).collect();
    let mut documented = BTreeSet::new();
    for row in &rows {
        let tests: Vec<&str> = spans(row).filter(|span| span.contains("::")).collect();
        assert!(!tests.is_empty(), "no test in {row}");
        documented.extend(tests.into_iter().map(str::to_owned));
    }
    assert!(rows.len() > 25, "{} rows", rows.len());
    let mut there = BTreeSet::new();
    for file in source("tests/e2e/faults/mod.rs").lines().filter_map(|line| line.strip_prefix("mod ")) {
        let file = file.trim_end_matches(';');
        let text = source(&format!("tests/e2e/faults/{file}.rs"));
        let tests = text.split("#[tokio::test]\nasync fn ").skip(1).filter_map(|rest| rest.split('(').next());
        there.extend(tests.map(|test| format!("{file}::{test}")));
    }
    assert_eq!(documented, there);
}

/// Returns whether a line is a table's head or the rule below it.
fn is_head(line: &str) -> bool {
    line.starts_with("| fault |") || line.starts_with("| ---")
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for (name, text) in pages() {
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let page = docs().join(&name);
            let target = if path.is_empty() { page } else { page.with_file_name(path) };
            if !target.exists() {
                broken.push(format!("{name}: {link}: no such file"));
            } else if !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
                broken.push(format!("{name}: {link}: no such heading"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_direct_dependency_has_its_line_and_no_other() {
    let manifest = source("Cargo.toml");
    let mut section = "";
    let mut known = BTreeSet::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if ["[dependencies]", "[dev-dependencies]", "[build-dependencies]"].contains(&section) {
            known.extend(line.split(['.', ' ']).next().filter(|name| !name.is_empty() && *name != "#"));
        }
    }
    assert!(known.contains("tokio") && known.len() > 40, "{known:?}");
    let text = page("dependencies.md");
    let row = |line: &str| line.strip_prefix("| `")?.split_once("` | ").map(|(name, _)| name.to_owned());
    let documented: Vec<String> = text.lines().filter_map(row).collect();
    assert_eq!(documented.iter().map(String::as_str).collect::<BTreeSet<_>>(), known);
    assert_eq!(documented.len(), known.len(), "one is there twice");
}

/// The threat model promises nothing without a test, and neither does the page on sharing.
#[test]
fn every_test_that_the_threat_model_names_exists() {
    let (threats, sharing) = (page("security.md"), page("caching.md"));
    let named: BTreeSet<String> = threats
        .lines()
        .chain(section(&sharing, "## Pods of one service account").lines())
        .filter(|line| line.starts_with("| "))
        .flat_map(|row| row.split(" | ").last().unwrap_or_default().split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert!(named.len() > 20, "{named:?}");
    let sources = tests();
    let missing: Vec<_> = named.iter().filter(|name| !sources.contains(&format!("fn {name}()"))).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Returns the text of every file that may hold a test.
fn tests() -> String {
    let mut sources = String::new();
    let mut folders = ["src", "tests", "emulator/tests"].map(|folder| docs().with_file_name(folder)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &read(&path);
            }
        }
    }
    sources
}

#[test]
fn every_bound_names_a_test_that_shows_it() {
    let (limits, sources) = (page("limits.md"), tests());
    let mut bounds = 0;
    for heading in ["## Time", "## Number and size", "## Memory", "## Work that does not multiply"] {
        let rows = table(section(&limits, heading));
        for row in &rows[1..] {
            let (what, shown_by) = (&row[0], row.last().expect("a row has cells"));
            let tests: Vec<&str> = spans(shown_by).collect();
            assert!(!tests.is_empty() || shown_by == "the same", "{what}: no test");
            for test in tests {
                let name = test.rsplit("::").next().unwrap_or(test);
                assert!(sources.contains(&format!("fn {name}()")), "{what}: there is no test {test}");
            }
            bounds += 1;
        }
    }
    assert!(bounds > 70, "only {bounds} bounds were found");
}

#[test]
fn the_readme_shows_the_figures_of_the_run_on_the_benchmark_page() {
    let page = page("benchmark.md");
    let run = section(&page, "## One run");
    let rows = |text: &str| table(text).into_iter().map(|cells| (cells[0].clone(), cells[1..3].to_vec()));
    // Rows of one name follow the rows that they belong to.
    let measured: BTreeSet<(String, Vec<String>)> = rows(run).collect();
    assert!(
        measured.len() > 40 && measured.iter().all(|row| row.1.iter().all(|cell| cell != "failed")),
        "{measured:?}"
    );
    // The only scenario without a peer has no row beside one.
    assert!(run.contains("one certificate as six outputs"), "the scenario `outputs` is missing");
    let readme = source("README.md");
    let shown: Vec<_> = rows(section(&readme, "## What it costs")).collect();
    assert!(shown.len() > 10, "{shown:?}");
    for row in shown {
        assert!(measured.contains(&row), "{row:?}");
    }
}

#[test]
fn every_page_is_in_the_index() {
    let index = page("README.md");
    let documented: BTreeSet<&str> = links(&index).collect();
    for (name, _) in pages() {
        assert!(name == "README.md" || documented.contains(name.as_str()), "{name} is not in the index");
    }
}

#[derive(Deserialize)]
struct SecretProviderClass {
    spec: Spec,
}

#[derive(Deserialize)]
struct Spec {
    provider: String,
    parameters: BTreeMap<String, String>,
}

/// Parses a mount with these parameters, and with everything that the driver can add.
#[track_caller]
fn accept(page: &str, mut parameters: BTreeMap<String, String>) {
    let tokens = r#"{"api://AzureADTokenExchange":{"token":"t"},"api://AKSIdentityBinding":{"token":"t"}}"#;
    for (key, value) in [
        ("csi.storage.k8s.io/pod.name", "web-0"),
        ("csi.storage.k8s.io/pod.namespace", "default"),
        ("csi.storage.k8s.io/serviceAccount.tokens", tokens),
    ] {
        parameters.insert(key.to_owned(), value.to_owned());
    }
    let attributes = serde_json::to_string(&parameters).expect("a map of strings is JSON");
    let secrets = r#"{"clientid":"dddddddd-0000-0000-0000-000000000003","clientsecret":"s"}"#;
    let parsed = parse(MountTexts { attributes: &attributes, secrets, permission: "420" });
    parsed.unwrap_or_else(|error| panic!("{page}: {error}"));
}

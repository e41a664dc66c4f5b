//! Keys of structured values: what they cost, and what hostile values come to.

use akv_emulator::{Route, Service};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

#[tokio::test]
async fn a_value_is_read_once_for_all_of_its_files() {
    let azure = Azure::with_secrets(&[("conn", r#"{"a":"1","b":{"c":"2"},"d":null}"#)]).await;
    let provider = Provider::start(&azure);
    let objects = "- {objectName: conn, objectType: secret, jmesPath: [{path: b.c, objectAlias: x}, {path: a, objectAlias: y}]}\n\
                   - {objectName: conn, objectType: secret, extract: json, objectAlias: all}\n\
                   - {objectName: conn, objectType: secret, extract: yaml, objectAlias: ./}\n\
                   - {objectName: conn, objectType: secret}\n";
    let mounted = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap();
    assert_eq!(mounted.paths(), ["x", "y", "all/a", "all/b", "a", "b", "conn"]);
    assert_eq!(
        ["x", "y", "all/b", "b"].map(|path| mounted.text(path)),
        ["2", "1", r#"{"c":"2"}"#, r#"{"c":"2"}"#]
    );
    assert_eq!(azure.journal().count(&Route::service(Service::Vault).credentials(true)), 1);
}

#[tokio::test]
async fn keys_that_collide_with_files_of_others_name_both_owners() {
    let azure = Azure::with_secrets(&[("conn", r#"{"a":"1","b":"2"}"#), ("other", r#"{"b":"3"}"#)]).await;
    let provider = Provider::start(&azure);
    for (objects, parts) in [
        (
            "- {objectName: conn, objectType: secret, extract: json, objectAlias: env}\n\
             - {objectName: other, objectType: secret, extract: json, objectAlias: env}\n",
            &["[AKV-FileClash] cannot read secret/other", "\"env/b\"", "secret/conn"][..],
        ),
        (
            "- {objectName: other, objectType: secret, objectAlias: env/b/c}\n\
             - {objectName: conn, objectType: secret, extract: json, objectAlias: env}\n",
            &["[AKV-FileClash] cannot read secret/other", "\"env/b/c\"", "secret/conn"],
        ),
        (
            "- {objectName: conn, objectType: secret, extract: json, objectAlias: app}\n\
             - {objectAlias: app/b, combine: {format: json, items: [{key: a, objectName: other}, {key: b, objectName: conn}]}}\n",
            &[
                "[AKV-FileClash] cannot read secret/conn from vault lab: its file \"app/b\"",
                "the combined file \"app/b\"",
            ],
        ),
    ] {
        let status = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{}", status.message());
        for part in parts {
            assert!(status.message().contains(part), "no {part}: {}", status.message());
        }
    }
}

#[tokio::test]
async fn hostile_values_end_in_a_clear_error() {
    let deep = format!("{}\"canary\"{}", "[".repeat(5_000), "]".repeat(5_000));
    let many = (0..2_000).map(|index| format!("\"canary{index}\":1")).collect::<Vec<_>>().join(",");
    let many = format!("{{{many}}}");
    let mut bomb = "a: &a [canary, canary]\n".to_owned();
    for (this, before) in ('b'..='z').zip('a'..='y') {
        bomb += &format!("{this}: &{this} [*{before}, *{before}, *{before}, *{before}]\n");
    }
    let azure = Azure::with_secrets(&[
        ("deep", &deep),
        ("many", &many),
        ("twice", r#"{"canary":1,"canary":2}"#),
        ("bomb", &bomb),
        ("words", "canary"),
        ("list", r#"["canary"]"#),
        ("line", "CANARY=1\ncanary words\n"),
    ])
    .await;
    let provider = Provider::start(&azure);
    for (name, syntax, part) in [
        ("deep", "json", "nests deeper than 32 levels"),
        ("deep", "yaml", "not YAML at line 1"),
        ("many", "json", "more than 1000 keys"),
        ("many", "yaml", "more than 1000 keys"),
        ("twice", "json", "a key is there twice"),
        ("bomb", "yaml", "more than 25000 values"),
        ("words", "json", "not JSON at line 1"),
        ("words", "yaml", "its top level is not a map"),
        ("list", "json", "its top level is not a map"),
        ("line", "dotenv", "not dotenv at line 2"),
    ] {
        let objects = format!("- {{objectName: {name}, objectType: secret, extract: {syntax}}}");
        let status = provider.driver().mount(&MountCall::of(&objects).workload(&azure)).await.unwrap_err();
        let message = status.message();
        assert_eq!(status.code(), Code::FailedPrecondition, "{message}");
        assert!(
            message.starts_with("[AKV-CannotConvert] ") && message.contains(part),
            "no {part}: {message}"
        );
        assert!(!message.to_lowercase().contains("canary"), "{message}");
    }
}

#[tokio::test]
async fn four_thousand_entries_of_one_large_value_are_mounted() {
    let value = format!("{{\"key\":\"x\",\"rest\":\"{}\"}}", "y".repeat(24_000));
    let azure = Azure::with_secrets(&[("large", &value)]).await;
    let provider = Provider::start(&azure);
    let objects = (0..4_000).fold(String::new(), |all, index| {
        all + &format!(
            "- {{objectName: large, objectType: secret, jmesPath: [{{path: key, objectAlias: f{index}}}]}}\n"
        )
    });
    let mounted = provider.driver().mount(&MountCall::of(&objects).workload(&azure)).await.unwrap();
    assert_eq!((mounted.files.len(), mounted.versions.len()), (4_000, 1));
}

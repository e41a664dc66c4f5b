//! The reads of a mount, their number, and the messages of failed reads.

use akv_emulator::{Fault, ObjectKind, Role, RoleAssignment, Route, Service, VaultScope};
use http::Method;
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

fn reads() -> Route {
    Route::service(Service::Vault).credentials(true)
}

fn probes() -> Route {
    Route::service(Service::Vault).credentials(false)
}

#[tokio::test]
async fn twenty_objects_cost_one_token_one_probe_and_twenty_reads() {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<String> = (0..20).map(|index| format!("secret-{index}")).collect();
    for name in &names {
        azure.vaults().put_secret("lab", name, &format!("value of {name}"));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start(&azure);

    let mounted = provider.driver().mount(&MountCall::of_secrets(&azure, &names)).await.unwrap();

    assert_eq!(mounted.paths(), names, "the files come in the user's order");
    assert_eq!(mounted.text("secret-7"), "value of secret-7");
    assert_eq!(azure.journal().count(&Route::token_endpoint()), 1);
    assert_eq!(azure.journal().count(&probes()), 1);
    assert_eq!(azure.journal().count(&reads()), 20);
    assert_eq!(azure.journal().total(), 22, "{:?}", azure.journal().lines());
}

/// A custom cloud, a gateway or an emulator that answers provider-azure may not know a newer version.
#[tokio::test]
async fn every_request_to_a_vault_has_provider_azures_api_version() {
    // Of secrets, the list and that of versions have a further page. Keys and certificates are missing, which costs the
    // same requests.
    let (azure, _) = Azure::with_numbered_secrets(30).await;
    for version in 0..30 {
        azure.vaults().put_secret("lab", "secret-0", &version.to_string());
    }
    let provider = Provider::start(&azure);
    for object_type in ["secret", "key", "cert"] {
        for fields in [
            "objectName: secret-0",
            "objectName: secret-0\n  objectVersionHistory: 2",
            "find: {name: secret-*}",
        ] {
            let objects = format!("- objectType: {object_type}\n  {fields}\n");
            let call = MountCall::of(&objects).workload(&azure).of_another_pod();
            let mounted = provider.driver().mount(&call).await;
            assert_eq!(mounted.is_ok(), object_type == "secret", "{objects}");
        }
    }
    let requests = azure.journal().filter(&Route::service(Service::Vault));
    for request in &requests {
        let version = request.query_value("api-version");
        assert_eq!(version.as_deref(), Some("7.4"), "{} {}", request.line(), request.query);
    }
    let count = |path: &str| {
        requests.iter().filter(|asked| asked.credentials && asked.path.trim_end_matches('/') == path).count()
    };
    for (collection, pages) in [("secrets", 2), ("keys", 1), ("certificates", 1)] {
        assert_eq!(count(&format!("/{collection}")), pages, "{collection}");
        assert_eq!(count(&format!("/{collection}/secret-0/versions")), pages, "{collection}");
        assert!(count(&format!("/{collection}/secret-0")) > 0, "{collection}");
    }
    assert!(requests.iter().any(|request| !request.credentials), "the probe");
}

#[tokio::test]
async fn the_reads_of_a_mount_run_at_once() {
    let (azure, names) = Azure::with_numbered_secrets(50).await;
    // Longer than it takes to open the connections on a busy machine.
    azure.latency().set_for(reads(), std::time::Duration::from_millis(400));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let provider = Provider::start(&azure);

    provider.driver().mount(&MountCall::of_secrets(&azure, &names)).await.unwrap();

    let at_once = azure.journal().max_in_flight();
    assert!(at_once > 32, "{at_once} requests ran at once");
}

#[tokio::test]
async fn slow_reads_do_not_delay_the_reads_behind_them() {
    let (azure, names) = Azure::with_numbered_secrets(140).await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_slow =
        |path: &str| ["0", "64", "128"].iter().any(|slow| path.ends_with(&format!("/secret-{slow}")));
    let slow = reads().matching(move |head| is_slow(head.path.trim_end_matches('/')));
    let hang = azure.faults().inject(slow, Fault::Hang);
    let provider = Provider::start(&azure);
    let (driver, call) = (provider.driver(), MountCall::of_secrets(&azure, &names));
    let mount = tokio::spawn(async move { driver.mount(&call).await.map(drop) });
    azure.journal().wait_for_route(140, &reads()).await;
    // If reads waited behind a slow one, it would have been repeated before the last read was sent.
    assert_eq!(azure.faults().hits(hang), 3);
    mount.abort();
}

#[tokio::test]
async fn an_object_requested_twice_is_read_once() {
    let azure = Azure::with_secrets(&[("api-key", "k-123")]).await;
    let provider = Provider::start(&azure);
    let objects = "array:\n- |\n  objectName: api-key\n  objectType: secret\n- |\n  objectName: api-key\n  objectType: secret\n  objectAlias: again\n  filePermission: '0400'\n";

    let mounted = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap();

    assert_eq!(
        mounted.files,
        [("api-key".to_owned(), 0o644, b"k-123".to_vec()), ("again".to_owned(), 0o400, b"k-123".to_vec())]
    );
    assert_eq!(azure.journal().count(&reads()), 1);
}

#[tokio::test]
async fn every_failing_object_is_reported_in_order() {
    let azure = Azure::with_secrets(&[("good", "x"), ("off", "x")]).await;
    azure.vaults().set_enabled("lab", ObjectKind::Secret, "off", None, false).unwrap();
    let provider = Provider::start(&azure);

    let call = MountCall::of_secrets(&azure, &["zebra", "good", "off", "ant"]);
    let status = provider.driver().mount(&call).await.unwrap_err();

    assert_eq!(status.code(), Code::NotFound, "what is missing goes before what is disabled");
    let parts = [
        "[AKV-NotFound] cannot read 3 objects from vault lab: secret/zebra, secret/ant: 404 SecretNotFound; check objectName",
        "; [AKV-ObjectDisabled] secret/off: the object is disabled: 403 SecretDisabled; enable it",
        "; asked lab.vault.azure.net as workload identity cccccccc-0000-0000-0000-000000000002 of tenant 11111111-",
        "; Key Vault says: A secret with ",
    ];
    let mut rest = status.message();
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?}, in this order, in {status}"));
        rest = &rest[at + part.len()..];
    }
}

#[tokio::test]
async fn an_identity_without_a_role_is_reported_with_the_missing_role() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    azure.directory().revoke_all("cccccccc-0000-0000-0000-000000000002");
    let provider = Provider::start(&azure);
    let call = MountCall::of_secrets(&azure, &["db-password"]);

    let status = provider.driver().mount(&call).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let wanted = "secret/db-password from vault lab: 403 ForbiddenByRbac; grant the role Key Vault Secrets User on vault \
                  lab to object id ";
    assert!(status.message().contains(wanted), "{status}");

    azure.directory().grant(RoleAssignment {
        principal: "cccccccc-0000-0000-0000-000000000002".to_owned(),
        vaults: VaultScope::All,
        role: Role::SecretsUser,
    });
    provider.driver().mount(&call).await.unwrap();
}

#[tokio::test]
async fn a_volume_over_the_drivers_limit_is_refused_with_its_largest_files() {
    let azure = Azure::with_secrets(&[]).await;
    let names: Vec<String> = (0..180).map(|index| format!("secret-{index}")).collect();
    for name in &names {
        azure.vaults().put_secret("lab", name, &"x".repeat(24_000));
    }
    azure.vaults().put_secret("lab", "secret-77", &"x".repeat(25_000));
    let provider = Provider::start(&azure);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();

    let status = provider.driver().mount(&MountCall::of_secrets(&azure, &names)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("larger than 4194304 bytes, the driver's limit"), "{status}");
    assert!(status.message().contains("the largest files are secret-77 (25000 bytes)"), "{status}");

    let mounted = provider.driver().mount(&MountCall::of_secrets(&azure, &names[..170])).await.unwrap();
    assert_eq!(mounted.files.len(), 170, "just below the limit");
}

#[tokio::test]
async fn a_separate_file_at_another_objects_path_is_refused() {
    let azure = Azure::with_secrets(&[("other", "x")]).await;
    let certificate = serde_json::json!({
        "value": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "contentType": "application/x-pem-file",
        "kid": "https://lab.vault.azure.net/keys/web/0",
    });
    azure.vaults().put("lab", ObjectKind::Secret, "web", certificate.as_object().unwrap().clone());
    let provider = Provider::start_with(&azure, &["--write-cert-and-key-in-separate-files".to_owned()]);
    let objects = |alias: &str| {
        let objects = format!(
            "- objectName: web\n  objectType: secret\n- objectName: other\n  objectType: secret\n  objectAlias: {alias}\n"
        );
        MountCall::of(&objects).workload(&azure)
    };
    for alias in ["web.crt", "web.crt/x"] {
        let status = provider.driver().mount(&objects(alias)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains("secret/other") && status.message().contains(alias), "{status}");
    }
    let long = format!("- {{objectName: web, objectType: secret, objectAlias: {}}}", "l".repeat(255));
    let status = provider.driver().mount(&MountCall::of(&long).workload(&azure)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("is too long"), "{status}");
    let mounted = provider.driver().mount(&objects("web.txt")).await.unwrap();
    assert_eq!(mounted.paths(), ["web.crt", "web.key", "web", "web.txt"]);
}

#[tokio::test]
async fn an_invalid_answer_is_reported_as_such() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    for body in
        ["<html>canary</html>", "{}", "[]", "null", r#"{"value":"canary"}"#, r#"{"value":5,"id":"canary"}"#]
    {
        azure.faults().clear();
        let fault = Fault::InvalidBody { content_type: "application/json".to_owned(), body: body.into() };
        azure.faults().inject(reads(), fault);
        let status =
            provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{body}: {status}");
        assert!(
            status.message().contains("secret/db-password from vault lab: the vault's answer"),
            "{body}: {status}"
        );
        assert!(!status.message().contains("canary"), "{status}");
    }
}

#[tokio::test]
async fn a_token_is_sent_only_to_the_vault() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let elsewhere = || Route::any().matching(|head| head.host.contains("evil"));

    azure
        .faults()
        .inject(reads(), Fault::Redirect("https://evil.vault.azure.net/secrets/db-password/".to_owned()));
    let status = provider.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("redirects are not followed"), "{status}");
    azure.faults().clear();

    let list = r#"{"value":[],"nextLink":"https://evil.vault.azure.net/secrets/db-password/versions?api-version=7.5"}"#;
    azure.faults().inject(
        reads().method(Method::GET).path_suffix("/versions"),
        Fault::InvalidBody { content_type: "application/json".to_owned(), body: list.into() },
    );
    let objects = "- objectName: db-password\n  objectType: secret\n  objectVersionHistory: 2\n";
    let status = provider.driver().mount(&MountCall::of(objects).workload(&azure)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    assert!(status.message().contains("another host"), "{status}");

    assert_eq!(azure.journal().count(&elsewhere()), 0, "{:?}", azure.journal().lines());
}

/// Compat: Go's JSON parser, and so provider-azure, does the same.
#[tokio::test]
async fn half_a_surrogate_pair_in_a_value_is_mounted_as_the_replacement_character() {
    let azure = Azure::with_secrets(&[]).await;
    let id = "https://lab.vault.azure.net/secrets/a/c81e728d9d4c2f636f067f89cc14862c";
    let body = format!(r#"{{"id":"{id}","value":"a\ud800b\ud83d\ude00","tags":{{"t":"\udc00"}}}}"#);
    let answer = Fault::InvalidBody { content_type: "application/json".to_owned(), body: body.into() };
    azure.faults().inject(Route::service(Service::Vault).credentials(true), answer);
    let provider = Provider::start(&azure);
    let mounted = provider.driver().mount(&MountCall::of_secrets(&azure, &["a"])).await.unwrap();
    assert_eq!(mounted.text("a"), "a\u{fffd}b\u{1f600}");
}

#[tokio::test]
async fn a_certificate_in_base64url_is_mounted() {
    // A DER sequence of one integer. Its base64 contains both characters in which the alphabets differ.
    let der = [0x30, 0x05, 0x02, 0x03, 0x7b, 0xef, 0xff];
    let id = "https://lab.vault.azure.net/certificates/c/c81e728d9d4c2f636f067f89cc14862c";
    let mut mounts = Vec::new();
    for cer in [
        data_encoding::BASE64.encode(&der),
        data_encoding::BASE64URL.encode(&der),
        data_encoding::BASE64URL_NOPAD.encode(&der),
    ] {
        let azure = Azure::with_secrets(&[]).await;
        let body = format!(r#"{{"id":"{id}","cer":"{cer}"}}"#);
        let answer = Fault::InvalidBody { content_type: "application/json".to_owned(), body: body.into() };
        azure.faults().inject(Route::service(Service::Vault).credentials(true), answer);
        let call = MountCall::of("- {objectName: c, objectType: cert}\n").workload(&azure);
        mounts.push(Provider::start(&azure).driver().mount(&call).await.unwrap());
    }
    assert!(mounts[0].text("c").contains("-----BEGIN CERTIFICATE-----"));
    assert!(mounts.iter().all(|mounted| *mounted == mounts[0]), "{mounts:?}");
}

//! Changes in the vault reach the pod at the next round, or at the one after a list that lags.

use std::time::Duration;

use akv_emulator::{
    ObjectKind, ObjectVersion,
    fixtures::{CertificateFixture, KeyKind},
};
use serde_json::json;
use tonic::Code;

use crate::harness::{Azure, MountCall, Mounted, Provider};

use super::{EACH_TIME, Fixture, cost, lists, reads};

const SECRET: ObjectKind = ObjectKind::Secret;

#[tokio::test]
async fn a_change_is_seen_at_the_next_round() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    fixture.quiet_round().await;
    let version = fixture.put("secret-7", "new");
    let (mounted, spent) = fixture.round().await;
    assert_eq!(mounted.text("secret-7"), "new");
    assert!(mounted.versions.contains(&("secret/secret-7".to_owned(), version)), "{:?}", mounted.versions);
    assert_eq!(mounted.files.iter().filter(|(_, _, contents)| contents == b"x").count(), 19);
    assert_eq!(spent, cost(1, 2), "the list, the changed object, and one in turn");
    fixture.quiet_round().await;
}

#[tokio::test]
async fn two_changes_within_one_second_are_both_seen() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    fixture.quiet_round().await;
    let created = fixture.azure.clock().unix() + 60;
    let put = |value: &str| {
        let version = ObjectVersion::new(
            &format!("{value:0>32}"),
            created,
            json!({ "value": value }).as_object().unwrap().clone(),
        );
        fixture.azure.vaults().put_version("lab", SECRET, "secret-7", version);
    };
    put("1");
    let (mounted, _) = fixture.round().await;
    assert_eq!(mounted.text("secret-7"), "1");
    // In the same second as the first one, and after its read: the list shows no difference.
    put("2");
    let (mounted, spent) = fixture.round().await;
    assert_eq!((mounted.text("secret-7"), spent), ("2", cost(1, 2)), "the first read came too early");
    fixture.quiet_round().await;
}

#[tokio::test]
async fn a_change_between_the_list_and_the_read_is_seen_at_the_next_round() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    fixture.azure.latency().set_for(reads(), Duration::from_millis(300));
    let (driver, volume) = (fixture.driver.clone(), fixture.volume.clone());
    fixture.azure.clock().advance(Duration::from_secs(60));
    let mount = tokio::spawn(async move { driver.mount(&volume).await });
    fixture.azure.journal().wait_for_route(1, &reads()).await;
    assert_eq!(fixture.azure.journal().count(&lists()), 1);
    for number in 0..20 {
        fixture.put(&format!("secret-{number}"), "new");
    }
    let mounted = mount.await.unwrap().unwrap();
    let new = |mounted: &Mounted| mounted.files.iter().filter(|(_, _, contents)| contents == b"new").count();
    assert!(new(&mounted) <= 1, "only the read of the round may have met a new value");
    fixture.azure.latency().clear();
    let (mounted, _) = fixture.round().await;
    assert_eq!(new(&mounted), 20);
}

#[tokio::test]
async fn a_value_that_is_set_back_to_an_older_one_is_seen() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    let older = fixture.azure.clock().unix() - 1_000_000;
    fixture.put("secret-7", "new");
    assert_eq!(fixture.round().await.0.text("secret-7"), "new");
    let version = fixture.put("secret-7", "x");
    let (mounted, spent) = fixture.round().await;
    assert_eq!((mounted.text("secret-7"), spent), ("x", cost(1, 2)));
    assert!(mounted.versions.contains(&("secret/secret-7".to_owned(), version)), "as a new version");
    // Purged, and restored from a backup: the newest version is older than the one that was read last.
    fixture.azure.vaults().purge("lab", SECRET, "secret-7");
    let body = json!({ "value": "backup" }).as_object().unwrap().clone();
    let backup = ObjectVersion::new(&"b".repeat(32), older, body);
    fixture.azure.vaults().put_version("lab", SECRET, "secret-7", backup);
    let (mounted, spent) = fixture.round().await;
    assert_eq!((mounted.text("secret-7"), spent), ("backup", cost(1, 2)));
}

#[tokio::test]
async fn changed_attributes_alone_cause_a_read() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    fixture.quiet_round().await;
    let now = fixture.azure.clock().unix();
    let changes: [fn(&mut ObjectVersion, i64); 4] = [
        |version, now| version.updated = Some(now),
        |version, now| version.expires = Some(now + 1_000_000),
        |version, now| version.not_before = Some(now - 1_000_000),
        |version, _| drop(version.body.insert("contentType".to_owned(), "text/plain".into())),
    ];
    for change in changes {
        let vaults = fixture.azure.vaults();
        vaults.change("lab", SECRET, "secret-7", None, |version| change(version, now)).unwrap();
        assert_eq!(fixture.round().await.1, cost(1, 2));
        fixture.quiet_round().await;
    }
}

#[tokio::test]
async fn a_disabled_a_deleted_and_a_recovered_object_are_seen() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    let vaults = fixture.azure.vaults();
    let fails = async |code: Code, action: &str| {
        fixture.azure.clock().advance(Duration::from_secs(60));
        let status = fixture.driver.mount(&fixture.volume).await.unwrap_err();
        assert_eq!(status.code(), code, "{action}: {status}");
        assert!(status.message().contains("secret-7"), "{action}: {status}");
    };
    let succeeds = async |value: &str, action: &str| {
        let (mounted, spent) = fixture.round().await;
        assert_eq!((mounted.text("secret-7"), spent), (value, cost(1, 2)), "{action}");
        fixture.quiet_round().await;
    };
    fixture.quiet_round().await;
    vaults.set_enabled("lab", SECRET, "secret-7", None, false).unwrap();
    fails(Code::FailedPrecondition, "disabled").await;
    vaults.set_enabled("lab", SECRET, "secret-7", None, true).unwrap();
    succeeds("x", "enabled").await;
    vaults.delete("lab", SECRET, "secret-7").unwrap();
    fails(Code::NotFound, "deleted").await;
    vaults.recover("lab", SECRET, "secret-7").unwrap();
    succeeds("x", "recovered").await;
    // Between two rounds: nothing has changed.
    vaults.delete("lab", SECRET, "secret-7").unwrap();
    vaults.recover("lab", SECRET, "secret-7").unwrap();
    fixture.quiet_round().await;
}

#[tokio::test]
async fn a_list_that_lags_by_five_seconds_delays_a_change_by_one_round() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    fixture.azure.vaults().set_list_lag("lab", Duration::from_secs(5));
    fixture.quiet_round().await;
    fixture.put("secret-7", "new");
    fixture.azure.clock().advance(Duration::from_secs(4));
    let (mounted, spent) = fixture.republish(&fixture.volume).await;
    let is_turn = fixture.azure.journal().filter(&reads())[0].head.path.contains("secret-7");
    assert_eq!((mounted.text("secret-7"), spent), (if is_turn { "new" } else { "x" }, cost(1, 1)));
    let (mounted, _) = fixture.round().await;
    assert_eq!(mounted.text("secret-7"), "new");
    fixture.quiet_round().await;

    // The list shows the old version again after the new one was read: the object is read once more.
    fixture.put("secret-7", "newer");
    fixture.driver.mount(&fixture.volume.of_another_pod()).await.unwrap();
    let (mounted, spent) = fixture.republish(&fixture.volume).await;
    assert_eq!((mounted.text("secret-7"), spent), ("newer", cost(1, 2)));
}

#[tokio::test]
async fn keys_and_certificates_have_lists_of_their_own() {
    let azure = Azure::with_secrets(&[]).await;
    let (mut objects, fixture) = (String::new(), CertificateFixture::generate("web", KeyKind::P256).unwrap());
    for number in 0..5 {
        let name = format!("o-{number}");
        azure.vaults().put("lab", ObjectKind::Key, &name, fixture.key_body());
        azure.vaults().put("lab", ObjectKind::Certificate, &name, fixture.certificate_body());
        for kind in ["key", "cert"] {
            objects +=
                &format!("- {{objectName: {name}, objectType: {kind}, objectAlias: {kind}-{number}}}\n");
        }
    }
    let provider = Provider::start_with(&azure, &EACH_TIME.map(str::to_owned));
    let volume = MountCall::of(&objects).workload(&azure);
    let fixture = Fixture::mounted(azure, provider, volume).await;
    let (before, spent) = fixture.round().await;
    assert_eq!(spent, cost(2, 2), "{:?}", fixture.azure.journal().lines());
    let other = CertificateFixture::generate("other", KeyKind::P256).unwrap();
    let vaults = fixture.azure.vaults();
    let key = vaults.put("lab", ObjectKind::Key, "o-3", other.key_body());
    let certificate = vaults.put("lab", ObjectKind::Certificate, "o-4", other.certificate_body());
    let (after, spent) = fixture.round().await;
    assert_eq!(spent, cost(2, 4), "{:?}", fixture.azure.journal().lines());
    for (id, version, path) in [("key/o-3", key, "key-3"), ("cert/o-4", certificate, "cert-4")] {
        assert!(after.versions.contains(&(id.to_owned(), version)), "{:?}", after.versions);
        assert_ne!(before.text(path), after.text(path));
    }
}

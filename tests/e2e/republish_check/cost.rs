//! What a round costs, and which mounts share it.

use std::{collections::BTreeSet, time::Duration};

use akv_emulator::{Fault, Route};

use crate::harness::{Azure, MountCall};

use super::{EACH_MINUTE, EACH_TIME, Fixture, cost, lists, play, reads, secrets};

#[tokio::test]
async fn a_round_costs_a_list_and_one_read_in_turn() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    for _ in 0..2 {
        let mut read = BTreeSet::new();
        for _ in 0..20 {
            read.insert(fixture.quiet_round().await);
        }
        assert_eq!(read.len(), 20, "each object has its turn: {read:?}");
    }
}

#[tokio::test]
async fn by_default_no_list_is_requested() {
    let fixture = Fixture::start(25, 20, &["--republish-max-age=0"]).await;
    for _ in 0..2 {
        assert_eq!(fixture.round().await.1, cost(0, 20));
    }
}

#[tokio::test]
async fn first_mounts_never_use_it() {
    let fixture = Fixture::start(25, 20, &EACH_MINUTE).await;
    play(Duration::from_secs(60)).await;
    fixture.quiet_round().await;
    fixture.put("secret-7", "new");
    // The values of the round are young enough for a republish, and not for a new pod.
    let (mounted, spent) = fixture.republish(&fixture.volume.of_another_pod()).await;
    assert_eq!((mounted.text("secret-7"), spent), ("new", cost(0, 20)));

    let fixture = Fixture::start(25, 20, &[EACH_MINUTE[0], "--object-cache-ttl=2m"]).await;
    play(Duration::from_secs(119)).await;
    assert_eq!(fixture.republish(&fixture.volume.of_another_pod()).await.1, cost(0, 0));
    play(Duration::from_secs(1)).await;
    fixture.quiet_round().await;
    assert_eq!(fixture.republish(&fixture.volume).await.1, cost(0, 0), "a republish gets what stands");
    // Of the values that stand, a new pod gets the one that was read.
    assert_eq!(fixture.republish(&fixture.volume.of_another_pod()).await.1, cost(0, 19));
}

#[tokio::test]
async fn a_list_is_requested_only_where_it_pays() {
    // A list of one page and a read are less than half of five reads.
    for (objects, expected) in [(1, cost(0, 1)), (4, cost(0, 4)), (5, cost(1, 1))] {
        let fixture = Fixture::start(25, objects, &EACH_TIME).await;
        assert_eq!(fixture.round().await.1, expected, "{objects} objects");
    }
}

#[tokio::test]
async fn an_unknown_number_of_pages_is_found_out_by_no_more_pages_than_pay() {
    // Three pages. Eight objects would pay for two.
    let fixture = Fixture::start(60, 8, &EACH_TIME).await;
    assert_eq!(fixture.round().await.1, cost(2, 8), "it has more");
    for _ in 0..3 {
        assert_eq!(fixture.round().await.1, cost(0, 8), "that is known");
    }
    let larger = secrets(&fixture.azure, 20..29);
    fixture.driver.mount(&larger).await.unwrap();
    assert_eq!(fixture.republish(&larger).await.1, cost(3, 1), "three pages pay for nine objects");
    assert_eq!(fixture.round().await.1, cost(0, 8), "three are known, and too many for eight");

    // The vault shrinks. It is found out after an hour, or by a mount for which more pages pay.
    for number in 40..60 {
        fixture.azure.vaults().purge("lab", akv_emulator::ObjectKind::Secret, &format!("secret-{number}"));
    }
    assert_eq!(fixture.republish(&larger).await.1, cost(2, 1));
    assert_eq!(fixture.round().await.1, cost(2, 1));
}

#[tokio::test]
async fn a_list_is_shared_for_a_minute_by_those_who_share_reads() {
    let fixture = Fixture::start(25, 15, &EACH_MINUTE).await;
    let other = secrets(&fixture.azure, 10..25);
    fixture.driver.mount(&other).await.unwrap();
    let principal = {
        let objects: String = (0..15)
            .map(|number| format!("- {{objectName: secret-{number}, objectType: secret}}\n"))
            .collect();
        MountCall::of(&objects).with_secrets(&[
            ("clientid", "dddddddd-0000-0000-0000-000000000003"),
            ("clientsecret", "s3cr3t~value"),
        ])
    };
    fixture.driver.mount(&principal).await.unwrap();

    play(Duration::from_secs(60)).await;
    fixture.quiet_round().await;
    assert_eq!(fixture.republish(&fixture.volume).await.1, cost(0, 0), "all of it was checked just now");
    // Ten objects of the other volume were not: the list is there, and one of them is read.
    assert_eq!(fixture.republish(&other).await.1, cost(0, 1));
    assert_eq!(fixture.republish(&principal).await.1, cost(1, 1), "another identity lists for itself");
    play(Duration::from_secs(59)).await;
    assert_eq!(fixture.republish(&fixture.volume).await.1, cost(0, 0));
    play(Duration::from_secs(1)).await;
    fixture.quiet_round().await;
}

#[tokio::test]
async fn a_list_that_finds_objects_also_shows_which_are_unchanged() {
    let azure = Azure::with_numbered_secrets(25).await.0;
    let provider = crate::harness::Provider::start_with(&azure, &EACH_MINUTE.map(str::to_owned));
    let volume = MountCall::of("- {find: {name: '*'}, objectType: secret}").workload(&azure);
    let fixture = Fixture::mounted(azure, provider, volume).await;
    play(Duration::from_secs(60)).await;
    fixture.quiet_round().await;
    fixture.put("secret-7", "new");
    play(Duration::from_secs(60)).await;
    let (mounted, spent) = fixture.round().await;
    assert_eq!((mounted.text("secret-7"), spent), ("new", cost(1, 2)));
}

#[tokio::test]
async fn an_object_is_read_an_hour_after_its_last_read() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    play(Duration::from_secs(3_000)).await;
    for _ in 0..10 {
        fixture.quiet_round().await;
    }
    play(Duration::from_secs(600)).await;
    // The other ten, and one of those that have had their turn.
    assert_eq!(fixture.round().await.1, cost(1, 11));
    fixture.quiet_round().await;
}

#[tokio::test]
async fn values_beyond_the_memory_of_the_cache_are_read() {
    let azure = Azure::with_secrets(&[]).await;
    for number in 0..200 {
        azure.vaults().put_secret("lab", &format!("secret-{number}"), &"x".repeat(25_000));
    }
    let transports = azure.transports();
    let fixture = Fixture::start_over(azure, transports, 100, &EACH_TIME).await;
    let other = secrets(&fixture.azure, 100..200);
    fixture.driver.mount(&other).await.unwrap();
    // Five megabytes, of which four are kept.
    for _ in 0..2 {
        let (_, first) = fixture.republish(&fixture.volume).await;
        let (mounted, second) = fixture.republish(&other).await;
        assert!(first.reads + second.reads > 20, "{first:?} {second:?}");
        assert!(mounted.files.iter().all(|(_, _, contents)| contents.len() == 25_000));
    }
}

/// Such a read held up the vault's queue, since nobody drove it.
#[tokio::test]
async fn a_republish_that_waits_for_memory_keeps_no_read_in_flight() {
    let azure = Azure::with_secrets(&[("hangs", "x")]).await;
    let numbered = |prefix: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("{prefix}-{number}")).collect()
    };
    let (small, large, held) = (numbered("small", 6), numbered("large", 20), numbered("held", 12));
    let put = |azure: &Azure, names: &[String], value: &str| {
        for name in names {
            azure.vaults().put_secret("lab", name, value);
        }
    };
    put(&azure, &small, "x");
    put(&azure, &large, &"x".repeat(25_000));
    put(&azure, &held, &"x".repeat(25_000));
    let call = |azure: &Azure, names: &[String], last: &[String]| {
        let names: Vec<&str> = names.iter().chain(last).map(String::as_str).collect();
        MountCall::of_secrets(azure, &names).of_another_pod()
    };
    let provider = crate::harness::Provider::start_over_changed(&azure, azure.transports(), |config| {
        config.admin.metrics_port = Some(0);
        config.mounts.cache.republish_check = akv_provider::vault::RepublishCheck::List;
        config.mounts.cache.republish_max_age = Duration::ZERO;
        // Memory for one large volume.
        config.mounts.large_volume_memory = 0;
    });
    let volume = call(&azure, &small, &large);
    let holder = call(&azure, &held, &["hangs".to_owned()]);
    let fixture = Fixture::mounted(azure, provider, volume).await;
    let (faults, journal) = (fixture.azure.faults(), fixture.azure.journal());
    let mount = |call: MountCall| {
        let driver = fixture.driver.clone();
        tokio::spawn(async move { driver.mount(&call).await })
    };
    // It has the memory when its vault stops answering.
    faults.inject(reads().path_prefix("/secrets/hangs"), Fault::Hang);
    let holder = mount(holder);
    journal.wait_until(|journal| journal.count(&reads()) == 13 && journal.in_flight() == 1).await;

    // What has changed outgrows the memory before the read of the round is answered.
    put(&fixture.azure, &large, &"y".repeat(25_000));
    let of_round = reads().path_prefix("/secrets/small-");
    faults.inject(of_round.clone(), Fault::Hang);
    let of_changed = reads().path_prefix("/secrets/large-");
    fixture.azure.latency().set_for(of_changed.clone(), Duration::from_millis(300));
    let before = journal.count(&of_changed);
    let republish = mount(fixture.volume.clone());
    journal.wait_for_route(1, &of_round).await;
    fixture.provider.wait_for_metric("akv_mounts_waiting 1").await;
    let left = journal.wait_until(|journal| journal.in_flight() == 1);
    let left = tokio::time::timeout(Duration::from_secs(60), left).await;
    left.expect("only the other mount has a request in flight");

    faults.clear();
    fixture.azure.latency().clear();
    holder.abort();
    assert_eq!(republish.await.unwrap().unwrap().files.len(), 26);
    assert!(journal.count(&of_changed) > before + 20, "it dropped what it had read, and read again");
}

#[tokio::test]
async fn metrics_tell_lists_from_reads() {
    let azure = Azure::with_numbered_secrets(25).await.0;
    let provider = crate::harness::Provider::start_over_changed(&azure, azure.transports(), |config| {
        config.admin.metrics_port = Some(0);
        config.mounts.cache.republish_check = akv_provider::vault::RepublishCheck::List;
        config.mounts.cache.republish_max_age = Duration::ZERO;
    });
    let volume = secrets(&azure, 0..20);
    let fixture = Fixture::mounted(azure, provider, volume).await;
    for _ in 0..3 {
        fixture.quiet_round().await;
    }
    let metrics = fixture.provider.metrics().await;
    for (kind, result, count) in [("secret", "miss", 23), ("secret", "unchanged", 57), ("list", "miss", 3)] {
        let line = format!(
            r#"akv_vault_calls_total{{kind="{kind}",result="{result}",vault="lab.vault.azure.net"}} {count}"#
        );
        assert!(metrics.lines().any(|found| found == line), "no {line} in {metrics}");
    }
    assert_eq!(fixture.azure.journal().count(&Route::any()), 2);
    assert_eq!(fixture.azure.journal().count(&lists()), 1);
}

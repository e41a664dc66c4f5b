//! Lists that the vault refuses or that fail, and refused reads: kept values never outlive a lost permission.

use std::time::Duration;

use akv_emulator::{Denial, DeniedScope, Fault, ObjectKind, Role, RoleAssignment, VaultScope};
use akv_provider::transport::Timeouts;
use tonic::Code;

use crate::harness::Azure;

use super::{EACH_MINUTE, EACH_TIME, Fixture, cost, lists, play, reads, secrets};

const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";

fn deny(azure: &Azure, scope: DeniedScope) {
    let denial = Denial { principal: WORKLOAD.to_owned(), vault: "lab".to_owned(), scope };
    azure.directory().update(|directory| directory.denials.push(denial));
}

#[tokio::test]
async fn a_forbidden_list_is_not_requested_again_for_an_hour() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    deny(&fixture.azure, DeniedScope::Lists);
    fixture.put("secret-7", "new");
    let (mounted, spent) = fixture.round().await;
    assert_eq!((mounted.text("secret-7"), spent), ("new", cost(1, 20)));
    for _ in 0..3 {
        play(Duration::from_secs(19 * 60)).await;
        assert_eq!(fixture.round().await.1, cost(0, 20));
    }
    fixture.azure.directory().update(|directory| directory.denials.clear());
    play(Duration::from_secs(4 * 60)).await;
    fixture.quiet_round().await;
}

#[tokio::test]
async fn an_invalid_list_is_not_requested_again_for_an_hour() {
    let invalid = |body: &'static str| Fault::InvalidBody {
        content_type: "application/json".to_owned(),
        body: body.as_bytes().into(),
    };
    for fault in [
        Fault::status(400),
        Fault::page(403, "<html>a firewall</html>"),
        invalid("no JSON"),
        invalid(r#"{"value":[{"id":"https://lab.vault.azure.net/keys/a","attributes":{}}]}"#),
    ] {
        let fixture = Fixture::start(25, 20, &EACH_TIME).await;
        let id = fixture.azure.faults().inject(lists(), fault.clone());
        fixture.put("secret-7", "new");
        let (mounted, spent) = fixture.round().await;
        assert_eq!((mounted.text("secret-7"), spent), ("new", cost(1, 20)), "{fault:?}");
        fixture.azure.faults().remove(id);
        play(Duration::from_secs(3_590)).await;
        assert_eq!(fixture.round().await.1, cost(0, 20), "{fault:?}");
        play(Duration::from_secs(10)).await;
        fixture.quiet_round().await;
    }
}

#[tokio::test]
async fn a_list_is_requested_again_at_the_round_after_an_outage() {
    let azure = Azure::with_numbered_secrets(25).await.0;
    let mut timeouts = Timeouts::within(Duration::from_secs(90));
    (timeouts.initial_backoff, timeouts.list_wait) = (Duration::from_millis(1), Duration::from_millis(300));
    let transports = azure.transports_with(timeouts);
    let fixture = Fixture::start_over(azure, transports, 20, &EACH_TIME).await;
    let throttled = Fault::throttled(1);
    for fault in [Fault::status(500), Fault::status(503), Fault::Drop, Fault::Hang, throttled] {
        let id = fixture.azure.faults().inject(lists(), fault.clone());
        fixture.put("secret-7", &format!("{fault:?}"));
        let (mounted, spent) = fixture.round().await;
        assert_eq!(mounted.text("secret-7"), format!("{fault:?}"));
        assert!(spent.lists > 0 && spent.reads == 20, "{fault:?}: {spent:?}");
        fixture.azure.faults().remove(id);
        fixture.quiet_round().await;
    }
}

#[tokio::test]
async fn a_403_on_the_read_of_a_round_drops_all_that_the_principal_has_read() {
    let fixture = Fixture::start(25, 20, &EACH_MINUTE).await;
    let other = secrets(&fixture.azure, 20..25);
    fixture.driver.mount(&other).await.unwrap();
    play(Duration::from_secs(60)).await;
    fixture.quiet_round().await;
    assert_eq!(fixture.republish(&other).await.1, cost(0, 1), "the list is shared, and one is read");
    assert_eq!(fixture.republish(&other).await.1, cost(0, 0), "values are kept");

    play(Duration::from_secs(60)).await;
    fixture.azure.clock().advance(Duration::from_secs(60));
    let refused = fixture.azure.faults().inject_times(1, reads(), Fault::status(403));
    fixture.azure.journal().clear();
    let mounted = fixture.driver.mount(&fixture.volume).await;
    assert_eq!(fixture.azure.faults().hits(refused), 1);
    // The read of the round, the others afresh, and the refused one with a new token.
    assert_eq!((mounted.is_ok(), fixture.cost()), (true, cost(1, 21)));
    assert_eq!(fixture.republish(&other).await.1, cost(0, 5), "nothing is kept of what was read before");
}

#[tokio::test]
async fn a_lost_role_shows_at_the_next_round() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    fixture.quiet_round().await;
    let lost = async || {
        fixture.azure.clock().advance(Duration::from_secs(60));
        let status = fixture.driver.mount(&fixture.volume).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        status.message().to_owned()
    };
    let by_get = {
        let fixture = Fixture::start(25, 20, &["--republish-max-age=0"]).await;
        fixture.azure.directory().revoke_all(WORKLOAD);
        fixture.driver.mount(&fixture.volume).await.unwrap_err().message().to_owned()
    };
    // The list is refused too. The message is that of reads, at the first round and later.
    fixture.azure.directory().revoke_all(WORKLOAD);
    assert_eq!([lost().await, lost().await], [by_get.clone(), by_get]);
    let role =
        RoleAssignment { principal: WORKLOAD.to_owned(), vaults: VaultScope::All, role: Role::SecretsUser };
    fixture.azure.directory().grant(role);
    assert_eq!(fixture.round().await.1.reads, 20);
}

#[tokio::test]
async fn a_lost_permission_on_values_shows_although_lists_are_allowed() {
    let fixture = Fixture::start(25, 20, &EACH_TIME).await;
    fixture.quiet_round().await;
    for number in 0..25 {
        deny(&fixture.azure, DeniedScope::Object(ObjectKind::Secret, format!("secret-{number}")));
    }
    fixture.azure.journal().clear();
    let status = fixture.driver.mount(&fixture.volume).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains("secret-1"), "{status}");
    assert_eq!(fixture.azure.journal().count(&lists()), 1);
    assert!(fixture.azure.journal().count(&reads()) >= 20, "each object is read, as without the list");
}

//! Invalid answers.

use akv_emulator::Fault;
use tonic::Code::{FailedPrecondition, PermissionDenied};

use super::fixture::{At, FaultFixture, ONCE, TRIES};
use crate::harness::MountCall;

fn json(body: impl Into<bytes::Bytes>) -> Fault {
    Fault::InvalidBody { content_type: "application/json".to_owned(), body: body.into() }
}

/// An invalid answer is not retried, since the next one would be the same.
#[tokio::test]
async fn an_answer_that_is_not_json_fails_after_one_request() {
    let fixture = FaultFixture::new().await;
    for at in [At::Vault, At::Entra] {
        for body in
            ["<html>canary</html>", "", "[]", "null", r#"{"canary":{}}"#, r#"{"value":7,"access_token":7}"#]
        {
            let status = fixture.fails(at, json(body), FailedPrecondition, ONCE).await;
            assert!(!status.message().contains("canary"), "{status}");
        }
    }
}

/// The page of a proxy or a firewall is not retried, and causes no token renewal.
#[tokio::test]
async fn a_page_of_a_proxy_or_firewall_is_reported_as_such() {
    let fixture = FaultFixture::new().await;
    for at in [At::Vault, At::Entra] {
        for (answered, code) in
            [(403, PermissionDenied), (407, FailedPrecondition), (404, FailedPrecondition)]
        {
            let page = Fault::page(answered, "<html><title>Blocked</title></html>");
            let status = fixture.fails(at, page, code, ONCE).await;
            assert!(status.message().contains("titled \"Blocked\""), "{status}");
            assert!(status.message().contains(&answered.to_string()), "{status}");
        }
    }
}

/// An endless answer is not retried. No more of it is read than any answer of Azure has.
#[tokio::test]
async fn a_body_of_200_megabytes_is_refused() {
    let fixture = FaultFixture::new().await;
    for at in [At::Vault, At::Entra] {
        for fault in [Fault::HugeBody(200_000_000), Fault::UnannouncedBody(200_000_000)] {
            fixture.fails(at, fault, FailedPrecondition, ONCE).await;
        }
    }
}

#[tokio::test]
async fn a_body_that_comes_in_small_pieces_is_read_to_its_end() {
    let fixture = FaultFixture::new().await;
    for at in [At::Vault, At::Entra] {
        let pause = std::time::Duration::from_millis(2);
        fixture.recovers_from(at, Fault::Slow { step: 50, pause }, 1).await;
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let fixture = FaultFixture::new().await;
    for at in [At::Vault, At::Entra] {
        let to = "https://evil.vault.azure.net/secrets/db-password/".to_owned();
        fixture.azure.faults().inject(at.route(), Fault::Redirect(to));
        let status = fixture.mount().await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{at:?}: {status}");
        let sent = akv_emulator::Route::any().matching(|head| head.host.contains("evil"));
        assert_eq!(fixture.azure.journal().count(&sent), 0, "{at:?}");
        fixture.azure.faults().clear();
        fixture.recovers_from(at, Fault::status(503), 2).await;
    }
}

#[tokio::test]
async fn a_list_that_breaks_off_is_asked_for_again() {
    let fixture = FaultFixture::new().await;
    let lists = At::Vault.route().path_suffix("/versions");
    let objects = "- objectName: db-password\n  objectType: secret\n  objectVersionHistory: 2\n";
    let call = MountCall::of(objects).workload(&fixture.azure);
    fixture.azure.faults().inject_times(1, lists.clone(), Fault::CutBody { after: 10 });
    fixture.driver().mount(&call.of_another_pod()).await.unwrap();
    assert_eq!(fixture.azure.journal().count(&lists), 2);
    fixture.azure.journal().clear();
    fixture.azure.faults().inject(lists.clone(), Fault::CutBody { after: 10 });
    let status = fixture.driver().mount(&call.of_another_pod()).await.unwrap_err();
    assert_eq!(status.code(), FailedPrecondition, "{status}");
    assert_eq!(fixture.azure.journal().count(&lists), *TRIES.end());
}

#[tokio::test]
async fn a_list_of_versions_that_does_not_end_is_refused() {
    let fixture = FaultFixture::new().await;
    let lists = At::Vault.route().path_suffix("/versions");
    let objects = "- objectName: db-password\n  objectType: secret\n  objectVersionHistory: 2\n";
    let call = MountCall::of(objects).workload(&fixture.azure);
    let again = "https://lab.vault.azure.net/secrets/db-password/versions?x=y";
    let version =
        r#"{"id":"https://lab.vault.azure.net/secrets/db-password/v","attributes":{"enabled":true}}"#;
    // Pages without a version, and pages with one version, which the second page repeats.
    for (versions, because, most) in [(0, "20000 entries or 800 pages", 801), (1, "names version v twice", 2)]
    {
        let value = vec![version; versions].join(",");
        let body = format!(r#"{{"value":[{value}],"nextLink":"{again}"}}"#);
        fixture.azure.faults().inject(lists.clone(), json(body));
        fixture.azure.journal().clear();
        let status = fixture.driver().mount(&call.of_another_pod()).await.unwrap_err();
        assert_eq!(status.code(), FailedPrecondition, "{status}");
        assert!(status.message().contains("AKV-UnexpectedAnswer"), "{status}");
        assert!(status.message().contains(because), "{status}");
        assert_eq!(fixture.azure.journal().count(&lists), most, "{versions} versions on a page");
        fixture.azure.faults().clear();
    }
    // So many versions on each page that a few pages exceed the limit. The newest fault happens first.
    for page in (0..6).rev() {
        let version = |index| version.replace("/v\"", &format!("/v{index}\""));
        let value: Vec<_> = (page * 4_000..(page + 1) * 4_000).map(version).collect();
        let body = format!(r#"{{"value":[{}],"nextLink":"{again}"}}"#, value.join(","));
        fixture.azure.faults().inject_times(1, lists.clone(), json(body));
    }
    fixture.azure.journal().clear();
    let status = fixture.driver().mount(&call.of_another_pod()).await.unwrap_err();
    assert!(status.message().contains("20000 entries or 800 pages"), "{status}");
    assert_eq!(fixture.azure.journal().count(&lists), 6);
    fixture.azure.faults().clear();
    fixture.driver().mount(&call.of_another_pod()).await.unwrap();
}

use std::{io, time::Duration};

use akv_emulator::{Emulator, Fault, Route, Service};
use azure_core::Bytes;
use serde_json::{Value, json};

use crate::harness::{SERVICE_PRINCIPAL, emulator, http, secrets, status_and_code, workload};

/// Reads a secret with a token, to the end of the body.
async fn read(azure: &Emulator) -> Result<(u16, Bytes), reqwest::Error> {
    let token = azure.access_token(SERVICE_PRINCIPAL, "https://vault.azure.net", Duration::from_secs(60));
    let request = http(azure).get("https://lab.vault.azure.net/secrets/db-password?api-version=7.6");
    let answer = request.bearer_auth(token).send().await?;
    let status = answer.status().as_u16();
    Ok((status, answer.bytes().await?))
}

/// Returns whether an RST caused the error.
fn is_reset(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
        || error.source().is_some_and(is_reset)
}

#[tokio::test]
async fn a_status_fault_has_the_services_own_body() {
    let azure = emulator().await;
    let client = secrets(&azure, workload(&azure));
    client.get_secret("db-password", None).await.expect("nothing fails yet");
    let fault = azure.faults().inject_times(1, Route::vault("lab").credentials(true), Fault::throttled(7));
    let error = client.get_secret("db-password", None).await.expect_err("it is throttled");
    assert_eq!(status_and_code(&error), (429, "Throttled".to_owned()));
    client.get_secret("db-password", None).await.expect("once only");
    assert_eq!(azure.faults().hits(fault), 1);
}

#[tokio::test]
async fn a_foreign_answer_has_nothing_of_the_services() {
    let azure = emulator().await;
    azure.faults().inject(Route::vault("lab"), Fault::page(403, "<title>Access Denied</title>"));
    let request = http(&azure).get("https://lab.vault.azure.net/secrets/db-password?api-version=7.6");
    let answer = request.send().await.expect("it answers");
    assert_eq!(answer.status(), 403);
    let names: Vec<_> = answer.headers().keys().map(|name| name.as_str().to_owned()).collect();
    assert_eq!(names, ["content-type", "content-length", "date"], "no x-ms- header");
    assert_eq!(answer.text().await.expect("it has a body"), "<title>Access Denied</title>");
}

#[tokio::test]
async fn a_valid_token_is_returned_in_other_fields() {
    let azure = emulator().await;
    let imds = format!(
        "{}/metadata/identity/oauth2/token?api-version=2019-08-01&resource=https://vault.azure.net",
        azure.imds_url()
    );
    let nmi = format!("{}/host/token/?resource=https://vault.azure.net", azure.nmi_url());
    for (service, url, fields, token) in [
        (Service::Imds, imds, json!({"expires_on": 4_000_000_000_i64}), "/access_token"),
        (Service::Nmi, nmi, json!({"token": {"expires_on": ""}}), "/token/access_token"),
    ] {
        let fault = azure.faults().inject(Route::service(service), Fault::TokenFields(fields.clone()));
        let client = reqwest::Client::builder().no_proxy().build().expect("the client can be built");
        let request = client.get(&url).header("Metadata", "true").header("podname", "p").header("podns", "n");
        let answer = request.send().await.expect("it answers").bytes().await.expect("it has a body");
        let answer: Value = serde_json::from_slice(&answer).expect("it is JSON");
        let token = answer.pointer(token).and_then(Value::as_str).expect("a token").to_owned();
        let mut without = answer;
        without
            .pointer_mut("/token")
            .unwrap_or(&mut Value::Null)
            .as_object_mut()
            .map(|t| t.remove("access_token"));
        without.as_object_mut().expect("an object").remove("access_token");
        assert_eq!(without, fields, "nothing else of the service's");
        let read = http(&azure).get("https://lab.vault.azure.net/secrets/db-password?api-version=7.6");
        assert_eq!(read.bearer_auth(token).send().await.expect("it answers").status(), 200);
        // A refused request has no token for the fields.
        assert_eq!(client.get(&url).send().await.expect("it answers").status(), 400);
        assert_eq!(azure.faults().hits(fault), 2);
    }
}

#[tokio::test]
async fn entra_can_fail_while_the_vault_works() {
    let azure = emulator().await;
    azure.faults().inject(Route::token_endpoint(), Fault::status(503));
    let error =
        secrets(&azure, workload(&azure)).get_secret("db-password", None).await.expect_err("no token");
    assert_eq!(status_and_code(&error).0, 503);
}

#[tokio::test]
async fn connections_break_as_the_fault_says() {
    let azure = emulator().await;
    let near = Duration::ZERO;
    let far = Duration::from_millis(2);
    for (fault, in_body, distance) in [
        (Fault::Drop, false, near),
        (Fault::Reset, false, near),
        (Fault::Reset, false, far),
        (Fault::CutBody { after: 10 }, true, near),
        (Fault::CutBody { after: 10 }, true, far),
        (Fault::CutBody { after: 1_000_000 }, true, near),
    ] {
        azure.latency().set_round_trip(distance);
        azure.faults().clear();
        azure.faults().inject(Route::vault("lab"), fault.clone());
        let error = read(&azure).await.expect_err("the connection breaks");
        assert_eq!(error.is_body() || error.is_decode(), in_body, "{fault:?}: {error:?}");
        assert_eq!(is_reset(&error), matches!(fault, Fault::Reset), "{fault:?}: {error:?}");
    }
    azure.faults().clear();
    assert_eq!(read(&azure).await.expect("it is whole again").0, 200);
}

#[tokio::test]
async fn a_hanging_request_stays_in_flight_until_the_client_gives_up() {
    let azure = emulator().await;
    azure.faults().inject(Route::vault("lab"), Fault::Hang);
    let request = tokio::spawn({
        let request = http(&azure).get("https://lab.vault.azure.net/secrets/a/?api-version=7.6");
        async move { request.send().await.map(|_| ()) }
    });
    azure.journal().wait_for(1).await;
    assert_eq!((azure.journal().in_flight(), azure.journal().lines()[0].as_str()), (1, "GET /secrets/a/ -"));
    request.abort();
    azure.journal().wait_until(|journal| journal.in_flight() == 0).await;
}

#[tokio::test]
async fn a_body_can_hang() {
    let azure = emulator().await;
    azure.faults().inject(Route::vault("lab"), Fault::HangInBody);
    let mut answer = http(&azure)
        .get("https://lab.vault.azure.net/secrets/a/?api-version=7.6")
        .send()
        .await
        .expect("headers come");
    assert_eq!(answer.status(), 401);
    assert!(answer.chunk().await.expect("the first half comes").is_some());
    let rest = tokio::time::timeout(Duration::from_millis(50), answer.chunk()).await;
    assert!(rest.is_err(), "nothing more comes");
}

#[tokio::test]
async fn bodies_can_be_replaced() {
    let azure = emulator().await;
    let set = |fault: Fault| {
        azure.faults().clear();
        azure.faults().inject(Route::service(Service::Vault), fault);
    };
    set(Fault::InvalidBody { content_type: "text/html".into(), body: Bytes::from_static(b"<html>") });
    assert_eq!(read(&azure).await.expect("it answers"), (200, Bytes::from_static(b"<html>")));
    set(Fault::HugeBody(5_000_000));
    let (status, body) = read(&azure).await.expect("it answers");
    assert_eq!((status, body.len()), (200, 5_000_000));
    serde_json::from_slice::<serde_json::Value>(&body).expect("it is JSON");
    set(Fault::Redirect("https://evil.example/".into()));
    assert_eq!(read(&azure).await.expect("it answers").0, 307);
    set(Fault::Slow { step: 100, pause: Duration::from_millis(1) });
    let (status, body) = read(&azure).await.expect("it answers in the end");
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&body).contains("pa55w0rd"));
}

#[tokio::test]
async fn latency_holds_requests_back_together() {
    let azure = emulator().await;
    azure.latency().set(Duration::from_millis(200));
    azure.latency().set_for(Route::service(Service::Entra), Duration::ZERO);
    let reads = futures::future::join_all((0..8).map(|_| read(&azure))).await;
    assert!(reads.into_iter().all(|answer| answer.is_ok_and(|(status, _)| status == 200)));
    assert_eq!(azure.journal().max_in_flight(), 8);
    assert!(azure.journal().entries().iter().all(|entry| entry.took >= Some(Duration::from_millis(200))));
}

use std::time::{Duration, Instant};

use akv_emulator::{Emulator, Fault, Route};
use futures::future::join_all;

use crate::harness::{emulator, http};

const URL: &str = "https://lab.vault.azure.net/secrets/a/?api-version=7.6";
const ROUND_TRIP: Duration = Duration::from_millis(40);

async fn get(client: &reqwest::Client) -> (u16, usize) {
    let answer = client.get(URL).send().await.expect("it answers");
    (answer.status().as_u16(), answer.bytes().await.expect("a body").len())
}

fn direct(azure: &Emulator) -> (reqwest::Client, String) {
    let authority = reqwest::Certificate::from_pem(azure.ca_pem().as_bytes()).expect("the authority is PEM");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .resolve("lab.vault.localhost", azure.https_address())
        .build()
        .expect("the client can be built");
    (client, format!("{}secrets/a?api-version=7.6", azure.vault_url("lab")))
}

#[tokio::test]
async fn a_tunnel_a_handshake_and_each_request_cost_a_round_trip() {
    let azure = emulator().await;
    azure.latency().set_round_trip(ROUND_TRIP);
    let http = http(&azure);
    let begin = Instant::now();
    assert_eq!(get(&http).await.0, 401);
    assert!(begin.elapsed() >= ROUND_TRIP * 3, "{:?}", begin.elapsed());
    let begin = Instant::now();
    assert_eq!(get(&http).await.0, 401);
    assert!(begin.elapsed() >= ROUND_TRIP, "{:?}", begin.elapsed());
    assert_eq!(azure.journal().connections(), 1);
    assert!(
        azure.journal().entries().iter().all(|entry| entry.took < Some(ROUND_TRIP)),
        "the delay is in the connection, not in the answer"
    );
}

#[tokio::test]
async fn a_direct_connection_costs_as_many_round_trips_as_a_tunnel() {
    let azure = emulator().await;
    azure.latency().set_round_trip(ROUND_TRIP);
    let (client, url) = direct(&azure);
    let begin = Instant::now();
    assert_eq!(client.get(url).send().await.expect("it answers").status(), 401);
    assert!(begin.elapsed() >= ROUND_TRIP * 3, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn distance_applies_to_open_connections_once_it_is_set() {
    let azure = emulator().await;
    let http = http(&azure);
    get(&http).await;
    azure.latency().set_round_trip(ROUND_TRIP);
    let begin = Instant::now();
    get(&http).await;
    assert!(begin.elapsed() >= ROUND_TRIP, "{:?}", begin.elapsed());
    azure.latency().clear();
    get(&http).await;
    assert_eq!((azure.journal().total(), azure.journal().connections()), (3, 1));
}

#[tokio::test]
async fn hundreds_of_distant_connections_are_served_at_once() {
    let azure = emulator().await;
    azure.latency().set_round_trip(Duration::from_millis(5));
    let clients: Vec<_> = (0..300).map(|_| http(&azure)).collect();
    let answers = join_all(clients.iter().map(get)).await;
    assert!(answers.iter().all(|(status, _)| *status == 401));
    assert_eq!((azure.journal().total(), azure.journal().connections()), (300, 300));
}

#[tokio::test]
async fn a_large_body_arrives_whole_and_in_order() {
    let azure = emulator().await;
    azure.latency().set_round_trip(Duration::from_millis(5));
    azure.faults().inject(Route::vault("lab"), Fault::HugeBody(5_000_000));
    let answer = http(&azure).get(URL).send().await.expect("it answers");
    let body = answer.bytes().await.expect("a body");
    assert_eq!(body.len(), 5_000_000);
    serde_json::from_slice::<serde_json::Value>(&body).expect("it is JSON");
}

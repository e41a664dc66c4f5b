use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use azure_core::{
    Bytes,
    http::{AsyncRawResponse, HttpClient, Request, StatusCode, headers::Headers},
};
use data_encoding::BASE64URL_NOPAD;

use crate::{
    blocking::Computations,
    cloud::CloudEnvironment,
    identity::{
        IdentityProofSettings, TokenProxySettings, TokenRefusal,
        proof::{IssuerUrl, KeyRefresh},
    },
    metrics::Metrics,
    spec::{cloud::CloudName, pod::PodRef, sensitive::Sensitive, service_principal::ClientProof},
    transport::{self, ClientFactory, Observer, Resolver, Timeouts, Transports},
};

use super::*;

/// An Entra that answers with a status and a body, or never.
#[derive(Debug, Clone, Copy)]
enum Entra {
    Refuses,
    Fails,
    Issues,
    Hangs,
}

/// An Entra that issues one token for this many seconds, and then becomes another one.
#[derive(Debug)]
struct IssuesOnce {
    seconds: u64,
    then: Entra,
    has_issued: AtomicBool,
}

impl IssuesOnce {
    fn new(seconds: u64, then: Entra) -> Self {
        Self { seconds, then, has_issued: AtomicBool::new(false) }
    }
}

#[async_trait::async_trait]
impl HttpClient for IssuesOnce {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if self.has_issued.swap(true, Ordering::Relaxed) {
            return self.then.execute_request(request).await;
        }
        let (seconds, token) = (self.seconds, token());
        let body = format!(
            r#"{{"token_type":"Bearer","expires_in":{seconds},"ext_expires_in":{seconds},"access_token":"{token}"}}"#
        );
        Ok(answer(StatusCode::Ok, body))
    }
}

/// Returns a token of a principal.
fn token() -> String {
    let claims =
        r#"{"tid":"11111111-2222-3333-4444-555555555555","oid":"aaaaaaaa-0000-0000-0000-00000000000a"}"#;
    format!("header.{}.signature", BASE64URL_NOPAD.encode(claims.as_bytes()))
}

fn answer(status: StatusCode, body: impl Into<Bytes>) -> AsyncRawResponse {
    let mut headers = Headers::new();
    headers.insert("content-type", "application/json");
    AsyncRawResponse::from_bytes(status, headers, body)
}

#[async_trait::async_trait]
impl HttpClient for Entra {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, body) = match self {
            Self::Refuses => (
                StatusCode::Unauthorized,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret."}"#,
            ),
            Self::Fails => (
                StatusCode::ServiceUnavailable,
                r#"{"error":"temporarily_unavailable","error_description":"AADSTS90033: A transient error."}"#,
            ),
            Self::Issues => (
                StatusCode::Ok,
                r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"t"}"#,
            ),
            Self::Hangs => std::future::pending().await,
        };
        Ok(answer(status, body))
    }
}

fn identities(entra: impl HttpClient + 'static) -> Identities {
    let timeouts = Timeouts::within(Duration::from_secs(90));
    let node = transport::node(timeouts);
    let transports = Transports {
        azure: Transport::new(Arc::new(entra)),
        node: Transport::new(Arc::new(node.clone())),
        azure_client: node,
        cluster: Resolver::system(),
        timeouts,
        observer: Observer::none(),
    };
    let clients = ClientFactory { transports, user_agent: None, metrics: Metrics::new(false) };
    let token_proxy =
        TokenProxySettings { url: None, server_name: None, api_server_port: 443, ca_file: PathBuf::new() };
    let proofs = IdentityProofSettings {
        issuers: Vec::<IssuerUrl>::new(),
        max_age: Duration::ZERO,
        refresh: KeyRefresh::default(),
    };
    Identities::new(&clients, token_proxy, proofs, Duration::from_secs(45), Computations::of_machine())
}

fn request(tenant: usize) -> Arc<TokenRequest> {
    Arc::new(TokenRequest {
        identity: IdentityMode::ServicePrincipal {
            tenant: format!("t{tenant}").parse().unwrap(),
            client: "cccccccc-0000-0000-0000-000000000002".parse().unwrap(),
            proof: ClientProof::Secret(Sensitive::new("s".repeat(4_096))),
        },
        pod: PodRef { namespace: "shop".into(), name: "web-0".into(), uid: None },
        cloud: CloudEnvironment::named(CloudName::Public),
    })
}

#[tokio::test(start_paused = true)]
async fn an_identity_that_entra_refuses_leaves_nothing_in_memory() {
    let refused = identities(Entra::Refuses);
    for tenant in 0..10 {
        let error = refused.authenticate(&request(tenant)).outcome().await.unwrap_err();
        assert!(matches!(*error, IdentityError::Refused { .. }), "{error}");
    }
    assert_eq!(refused.kept.len(), 0);

    let issued = identities(Entra::Issues);
    for _ in 0..2 {
        issued.authenticate(&request(0)).outcome().await.unwrap();
    }
    assert_eq!(issued.kept.len(), 1, "a token is cached");
}

#[tokio::test(start_paused = true)]
async fn an_identity_whose_last_caller_goes_away_leaves_nothing_in_memory() {
    let hanging = identities(Entra::Hangs);
    let first = hanging.authenticate(&request(0));
    let second = tokio::time::timeout(Duration::from_secs(1), hanging.authenticate(&request(0)).outcome());
    second.await.unwrap_err();
    assert_eq!(hanging.kept.len(), 1, "the first caller still waits");
    drop(first);
    assert_eq!(hanging.kept.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_403_while_entra_is_down_leaves_the_token_to_all_other_pods() {
    let identities = identities(IssuesOnce::new(3_599, Entra::Fails));
    let authenticate = || identities.authenticate(&request(0)).outcome();
    let (first, second) = (authenticate().await.unwrap(), authenticate().await.unwrap());
    let renew = |refusal| identities.renew(&request(0), &second, refusal, false).unwrap().outcome();
    renew(TokenRefusal::Forbidden).await.unwrap_err();
    assert_eq!(authenticate().await.unwrap().generation(), first.generation());
    renew(TokenRefusal::Unauthorized).await.unwrap_err();
    authenticate().await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_403_gets_all_pods_of_the_credential_the_new_token() {
    let identities = identities(IssuesOnce::new(3_599, Entra::Issues));
    let authenticate = || identities.authenticate(&request(0)).outcome();
    let (first, second) = (authenticate().await.unwrap(), authenticate().await.unwrap());
    let renewal = identities.renew(&request(0), &second, TokenRefusal::Forbidden, false).unwrap();
    let renewed = renewal.outcome().await.unwrap();
    assert!(renewed.generation() > first.generation());
    assert_eq!(authenticate().await.unwrap().generation(), renewed.generation());
}

#[tokio::test(start_paused = true)]
async fn a_401_during_the_renewal_after_a_403_takes_the_token_from_later_mounts() {
    let identities = identities(IssuesOnce::new(3_599, Entra::Hangs));
    let authenticate = || identities.authenticate(&request(0)).outcome();
    let (first, second) = (authenticate().await.unwrap(), authenticate().await.unwrap());
    let renew = |refusal| identities.renew(&request(0), &second, refusal, false).unwrap();
    let after_403 = renew(TokenRefusal::Forbidden);
    assert_eq!(authenticate().await.unwrap().generation(), first.generation());
    let after_401 = renew(TokenRefusal::Unauthorized);
    assert!(!after_403.is_shared && after_401.is_shared, "there is one renewal");
    assert!(identities.authenticate(&request(0)).is_shared, "a later mount waits for its token");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_entra_in_the_last_minutes_of_a_token_fails_no_mount() {
    for then in [Entra::Fails, Entra::Hangs] {
        let identities = identities(IssuesOnce::new(240, then));
        let authenticate = || identities.authenticate(&request(0)).outcome();
        let (first, second) = (authenticate().await.unwrap(), authenticate().await.unwrap());
        assert_eq!(second.generation(), first.generation(), "{then:?}");
        let used = second.credential.get_token(&["scope"], None).await.unwrap();
        assert_eq!(used.token.secret(), token());
        let renewal = identities.renew(&request(0), &second, TokenRefusal::Unauthorized, false).unwrap();
        renewal.outcome().await.unwrap_err();
        authenticate().await.unwrap_err();
    }
    for (seconds, then) in [(240, Entra::Refuses), (59, Entra::Fails)] {
        let identities = identities(IssuesOnce::new(seconds, then));
        identities.authenticate(&request(0)).outcome().await.unwrap();
        identities.authenticate(&request(0)).outcome().await.unwrap_err();
    }
}

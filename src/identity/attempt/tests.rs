use std::path::PathBuf;

use azure_core::{
    Bytes,
    http::{AsyncRawResponse, HttpClient, Request, StatusCode, headers::Headers},
};

use crate::{
    blocking::Computations,
    cloud::CloudEnvironment,
    identity::{
        IdentityProofSettings, TokenProxySettings,
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
    Issues,
    Hangs,
}

#[async_trait::async_trait]
impl HttpClient for Entra {
    async fn execute_request(&self, _: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, body) = match self {
            Self::Refuses => (
                StatusCode::Unauthorized,
                r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret."}"#,
            ),
            Self::Issues => (
                StatusCode::Ok,
                r#"{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"t"}"#,
            ),
            Self::Hangs => std::future::pending().await,
        };
        let mut headers = Headers::new();
        headers.insert("content-type", "application/json");
        Ok(AsyncRawResponse::from_bytes(status, headers, Bytes::from_static(body.as_bytes())))
    }
}

fn identities(entra: Entra) -> Identities {
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

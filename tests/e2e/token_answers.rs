//! Answers of token sources in other forms than the SDK accepts.

use akv_emulator::{Fault, Route, Service};
use serde_json::{Value, json};
use tonic::Code;

use crate::harness::{Azure, MountCall, Provider};

const OBJECTS: &str = "- objectName: db-password\n  objectType: secret\n";

/// Returns a call for every identity mode, and the token source of that mode.
fn modes(azure: &Azure) -> [(MountCall, Service); 5] {
    let objects = MountCall::of(OBJECTS);
    let principal = [("clientid", "dddddddd-0000-0000-0000-000000000003"), ("clientsecret", "s3cr3t~value")];
    [
        (objects.clone().workload(azure), Service::Entra),
        (objects.clone().with_secrets(&principal), Service::Entra),
        (objects.clone().workload(azure).with("useAzureTokenProxy", "true"), Service::TokenProxy),
        (objects.clone().with("useVMManagedIdentity", "true"), Service::Imds),
        (objects.with("usePodIdentity", "true"), Service::Nmi),
    ]
}

/// Returns the fields in the structure of `service`'s answers.
fn fields(service: Service, fields: &Value) -> Value {
    if service == Service::Nmi { json!({ "token": fields, "clientid": "c" }) } else { fields.clone() }
}

#[tokio::test]
async fn a_token_is_accepted_in_every_form_of_its_expiry() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    for expiry in [
        json!({"token_type": "Bearer", "expires_in": "3599", "ext_expires_in": "3599"}),
        json!({"token_type": "Bearer", "expires_in": 86399, "expires_on": 4_000_000_000_i64, "not_before": 1}),
        json!({"expires_on": "4000000000"}),
        json!({"expires_in": "", "expires_on": "12/31/2030 11:59:59 PM +00:00"}),
        json!({"expires_on": "2030-12-31T23:59:59.0000000+00:00", "resource": null}),
        json!({"expires_in": 3600}),
        json!({"refresh_in": "3600"}),
    ] {
        // A new provider, which has no token cached.
        let provider = Provider::start(&azure);
        for (call, service) in modes(&azure) {
            let fault = Fault::TokenFields(fields(service, &expiry));
            azure.faults().clear();
            let id = azure.faults().inject(Route::service(service), fault);
            let mounted = provider.driver().mount(&call.of_another_pod()).await;
            let mounted = mounted.unwrap_or_else(|status| panic!("{service:?} {expiry}: {status}"));
            assert_eq!(mounted.text("db-password"), "x");
            assert_eq!(azure.faults().hits(id), 1, "{service:?} {expiry}: one token serves the mount");
        }
    }
}

#[tokio::test]
async fn a_token_is_used_again_until_its_expiry_is_near() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    for (expiry, asked) in [
        (json!({"expires_in": "3600"}), 1),
        (json!({"expires_on": "12/31/2030 11:59:59 PM +00:00"}), 1),
        // The SDK renews a token five minutes before it expires.
        (json!({"expires_in": "200", "refresh_in": "3600"}), 2),
    ] {
        let provider = Provider::start(&azure);
        azure.faults().clear();
        azure.journal().clear();
        azure.faults().inject(Route::service(Service::Imds), Fault::TokenFields(expiry.clone()));
        for _ in 0..2 {
            let call = MountCall::of(OBJECTS).with("useVMManagedIdentity", "true").of_another_pod();
            provider.driver().mount(&call).await.unwrap();
        }
        let requests = azure.journal().count(&Route::service(Service::Imds));
        assert!(if asked == 1 { requests == 1 } else { requests >= asked }, "{expiry}: {requests} requests");
    }
}

#[tokio::test]
async fn an_answer_without_a_token_or_an_expiry_is_reported_with_the_missing_field() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let json = |body: &Value| Fault::InvalidBody {
        content_type: "application/json".to_owned(),
        body: body.to_string().into(),
    };
    for (fault, part) in [
        (
            Fault::TokenFields(json!({"token_type": "Bearer"})),
            "neither expires_on nor expires_in can be read",
        ),
        (json(&json!({"expires_in": 3599})), "the answer has no access_token"),
        (
            json(&json!({"error": "invalid_grant", "error_description": "words"})),
            "no access_token but the error \"invalid_grant: words\"",
        ),
        (
            json(&json!({"access_token": "canary \n", "expires_in": 1})),
            "access_token cannot be sent in a header",
        ),
    ] {
        for (call, service) in modes(&azure).into_iter().filter(|(_, service)| *service != Service::Nmi) {
            let provider = Provider::start(&azure);
            azure.faults().clear();
            azure.faults().inject(Route::service(service), fault.clone());
            let status = provider.driver().mount(&call.of_another_pod()).await.unwrap_err();
            assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
            assert!(status.message().starts_with("[AKV-UnexpectedAnswer] "), "{status}");
            assert!(status.message().contains(part) && !status.message().contains("canary"), "{status}");
        }
    }
}

/// Compat: provider-azure treats such a token as expired, and uses it nevertheless.
#[tokio::test]
async fn a_token_of_nmi_without_an_expiry_serves_its_mount() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("other", "y")]).await;
    let provider = Provider::start(&azure);
    azure.faults().inject(Route::service(Service::Nmi), Fault::TokenFields(json!({"token": {}})));
    let objects = "array:\n- {objectName: db-password, objectType: secret}\n- {objectName: other, objectType: secret}\n";
    let mounted =
        provider.driver().mount(&MountCall::of(objects).with("usePodIdentity", "true")).await.unwrap();
    assert_eq!((mounted.text("db-password"), mounted.text("other")), ("x", "y"));
    assert_eq!(azure.journal().count(&Route::service(Service::Nmi)), 1);
}

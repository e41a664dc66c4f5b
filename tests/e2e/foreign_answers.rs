//! Answers of proxies, firewalls and gateways in place of Key Vault, Entra or IMDS.

use akv_emulator::{Fault, Route, Service};
use tonic::{Code, Status};

use crate::harness::{Azure, MountCall, Provider};

const BLOCKED: &str =
    "<html><head><title>Access Denied</title></head><body>Blocked by policy: category unknown</body></html>";
const PROXY: &str = "<html>Proxy Authentication Required</html>";

/// Mounts with this fault on these requests, and returns the error.
async fn failed(azure: &Azure, route: Route, fault: Fault, call: &MountCall) -> Status {
    azure.faults().clear();
    azure.faults().inject(route, fault);
    let status = Provider::start(azure).driver().mount(call).await.expect_err("it fails");
    azure.faults().clear();
    status
}

#[track_caller]
fn assert_says(status: &Status, code: Code, failure: &str, parts: &[&str]) {
    let message = status.message();
    assert_eq!(status.code(), code, "{message}");
    assert!(message.starts_with(&format!("[AKV-{failure}] ")), "{message}");
    let mut rest = message;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?}, in this order, in {message}"));
        rest = &rest[at + part.len()..];
    }
    for misleading in ["grant ", "role", "Key Vault says", "\n"] {
        assert!(!message.contains(misleading), "{misleading:?} in {message}");
    }
}

#[tokio::test]
async fn a_firewalls_page_in_place_of_the_vault_is_quoted_and_suggests_no_role() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let everything = Route::vault("lab");
    for route in
        [everything.clone(), everything.clone().credentials(false), everything.clone().credentials(true)]
    {
        let status = failed(&azure, route, Fault::page(403, BLOCKED), &call).await;
        assert_says(
            &status,
            Code::PermissionDenied,
            "ForbiddenByProxy",
            &[
                "cannot read secret/db-password from vault lab: 403 from something other than Key Vault, with an HTML \
                 page titled \"Access Denied\"; check the proxies, firewalls and gateways between node and Azure",
                "; asked lab.vault.azure.net as",
                "; The page says: Blocked by policy: category unknown",
            ],
        );
    }
    let istio = Fault::Answer {
        code: 403,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: "RBAC: access denied".to_owned(),
    };
    let gateway = Fault::Answer { code: 403, headers: vec![], body: r#"{"message":"Forbidden"}"#.to_owned() };
    // A page is not Key Vault's answer, whatever its headers.
    let rewritten = Fault::Status { code: 403, retry_after: None, body: Some(BLOCKED.to_owned()) };
    for (fault, part) in [
        (istio, "with a text; check the proxies"),
        (gateway, "with JSON of another form; check the proxies"),
        (rewritten, "titled \"Access Denied\""),
    ] {
        let status = failed(&azure, everything.clone(), fault, &call).await;
        assert_says(&status, Code::PermissionDenied, "ForbiddenByProxy", &[part]);
    }
}

#[tokio::test]
async fn many_objects_behind_a_firewall_are_one_failure() {
    let azure = Azure::with_secrets(&[]).await;
    let call = MountCall::of_secrets(&azure, &["a", "b", "c", "d"]);
    let status = failed(&azure, Route::vault("lab"), Fault::page(403, BLOCKED), &call).await;
    let head = "cannot read secret/a, secret/b, secret/c and 1 more from vault lab: 403 from something";
    assert_says(&status, Code::PermissionDenied, "ForbiddenByProxy", &[head, "The page says: Blocked"]);
}

#[tokio::test]
async fn a_proxy_that_requires_a_password_is_reported_for_vault_and_entra() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let workload = MountCall::of_secrets(&azure, &["db-password"]);
    for (route, part) in [
        (
            Route::vault("lab"),
            "cannot read secret/db-password from vault lab: 407 Proxy Authentication Required",
        ),
        (Route::token_endpoint(), "something other than Entra answered"),
    ] {
        let empty = Fault::Answer { code: 407, headers: vec![], body: String::new() };
        for fault in [Fault::page(407, PROXY), empty] {
            let status = failed(&azure, route.clone(), fault, &workload).await;
            let advice = "the proxy's user and password into HTTPS_PROXY";
            assert_says(&status, Code::FailedPrecondition, "ProxyAuthRequired", &[part, advice]);
            assert!(status.message().contains("407"), "{status}");
        }
    }
}

#[tokio::test]
async fn a_firewalls_page_in_place_of_a_token_source_is_not_a_refusal_of_the_identity() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let workload = MountCall::of_secrets(&azure, &["db-password"]);
    let objects = MountCall::of("- objectName: db-password\n  objectType: secret\n");
    let principal = [("clientid", "dddddddd-0000-0000-0000-000000000003"), ("clientsecret", "s3cr3t~value")];
    let entra = "something other than Entra answered the request for a token: ";
    for (call, service, parts) in [
        (workload.clone(), Service::Entra, [entra, "one answers in place of login.microsoftonline.com"]),
        (
            objects.clone().with_secrets(&principal),
            Service::Entra,
            [entra, "login.microsoftonline.com, and must let"],
        ),
        (
            workload.clone().with("useAzureTokenProxy", "true"),
            Service::TokenProxy,
            ["something other than the token proxy answered", "one answers in place of the token proxy"],
        ),
        (
            objects.clone().with("useVMManagedIdentity", "true"),
            Service::Imds,
            ["something other than IMDS answered", "one answers in place of IMDS"],
        ),
    ] {
        let status = failed(&azure, Route::service(service), Fault::page(403, BLOCKED), &call).await;
        let page = "status 403 with an HTML page titled \"Access Denied\"";
        let words = "the answer was: Blocked by policy: category unknown";
        let parts = [parts[0], page, parts[1], words];
        assert_says(&status, Code::PermissionDenied, "ForbiddenByProxy", &parts);
    }
    for code in [200, 400, 401, 404] {
        let status = failed(&azure, Route::token_endpoint(), Fault::page(code, BLOCKED), &workload).await;
        let title = "page titled \"Access Denied\"";
        assert_says(&status, Code::FailedPrecondition, "UnexpectedAnswer", &[title, "answers in its place"]);
    }
}

#[tokio::test]
async fn a_page_with_any_other_status_is_quoted_and_not_treated_as_the_vaults() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    for code in [302, 400, 401, 404, 451] {
        let reads = Route::vault("lab").credentials(true);
        let status = failed(&azure, reads, Fault::page(code, BLOCKED), &call).await;
        let parts = [&*format!("{code} from something"), "\"Access Denied\"", "answers in its place"];
        assert_says(&status, Code::FailedPrecondition, "UnexpectedAnswer", &parts);
    }
}

/// A firewall's answer says nothing about the identity.
#[tokio::test]
async fn a_firewalls_page_renews_no_token_and_drops_no_cached_value() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let provider = Provider::start(&azure);
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let (mine, anothers) = (call.of_another_pod(), call.of_another_pod());
    provider.driver().mount(&mine).await.unwrap();
    let reads = Route::vault("lab").credentials(true);
    for (fault, tokens, remembered) in [(Fault::page(403, BLOCKED), 0, true), (Fault::status(403), 1, false)]
    {
        azure.journal().clear();
        azure.faults().clear();
        azure.faults().inject(reads.clone(), fault);
        provider.driver().mount(&anothers).await.unwrap_err();
        assert_eq!(azure.journal().count(&Route::token_endpoint()), tokens);
        let again = provider.driver().mount(&mine).await;
        assert_eq!(again.is_ok(), remembered, "{again:?}");
    }
}

#[tokio::test]
async fn a_gateways_page_for_a_vault_that_is_down_is_quoted() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let page = Fault::page(502, "<html><head><title>502 Bad Gateway</title></head><hr>nginx</html>");
    // The page comes before the token request, so that no retry waits.
    let status = failed(&azure, Route::vault("lab"), page, &call).await;
    let parts =
        ["502 from something other than Key Vault", "\"502 Bad Gateway\"", "kubelet tries again", "nginx"];
    assert_says(&status, Code::FailedPrecondition, "VaultDown", &parts);
}

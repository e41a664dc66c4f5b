use std::sync::Arc;

use azure_core::{
    error::{Error, ErrorKind},
    http::{RawResponse, headers::Headers},
};

use crate::{
    identity::{Asked, Presented, TokenAnswer, TokenSource},
    mount::ObjectError,
};

use super::*;

const OBJECT_ID: &str = "66d10cbf-3a73-4326-9a8d-b1b082e7c3fc";

fn failure(object: &str, status: u16, code: &str, words: &str, request: &str) -> ObjectFailure {
    let kind = object.split('/').next().unwrap().parse().unwrap();
    let mut headers = Headers::new();
    headers.insert("x-ms-request-id", request.to_owned());
    let body =
        serde_json::json!({"error": {"code": "Outer", "message": words, "innererror": {"code": code}}});
    let raw = RawResponse::from_bytes(status.into(), headers, body.to_string());
    let kind_of_error = ErrorKind::HttpResponse {
        status: status.into(),
        error_code: None,
        raw_response: Some(Box::new(raw)),
    };
    let error: VaultError = Error::with_message(kind_of_error, "refused").into();
    ObjectFailure { kind, object: object.to_owned(), error: ObjectError::Vault(Arc::new(error)) }
}

fn missing(object: &str, request: &str) -> ObjectFailure {
    failure(object, 404, "SecretNotFound", &format!("A secret {object} was not found"), request)
}

fn told(failures: &[ObjectFailure]) -> String {
    let caller = Caller {
        identity: "workload identity c".to_owned(),
        tenant: Some("t".parse().unwrap()),
        object_id: Some(OBJECT_ID.to_owned()),
        host: "lab.vault.azure.net".to_owned(),
        other_authority: None,
        misspellings: Vec::new(),
    };
    Objects { vault: &"lab".parse().unwrap(), caller: &caller, failures }.to_string()
}

#[test]
fn one_object_is_one_line_with_the_way_out_before_azures_words_and_its_ids_last() {
    assert_eq!(
        told(&[missing("secret/a", "r-1")]),
        "cannot read secret/a from vault lab: 404 SecretNotFound; check objectName, objectType and objectVersion. \
         Key Vault says: A secret secret/a was not found (asked lab.vault.azure.net as workload identity c of tenant \
         t; request ids of Azure: r-1)"
    );
}

#[test]
fn a_refusal_names_the_misspelt_parameter_that_another_identity_was_meant_by() {
    let misspelling = Misspelling {
        written: crate::spec::excerpt::Excerpt::of("userAssignedIdentityId"),
        meant: "userAssignedIdentityID",
    };
    let caller = Caller {
        identity: "system-assigned managed identity".to_owned(),
        tenant: None,
        object_id: None,
        host: "lab.vault.azure.net".to_owned(),
        other_authority: None,
        misspellings: vec![misspelling],
    };
    let told = |failure: ObjectFailure| {
        Objects { vault: &"lab".parse().unwrap(), caller: &caller, failures: &[failure] }.to_string()
    };
    let hint = "; parameter \"userAssignedIdentityId\" is unknown (did you mean userAssignedIdentityID?). Key Vault says";
    let refused = told(failure("secret/a", 403, "ForbiddenByRbac", "words", "r-1"));
    assert!(refused.contains(hint), "{refused}");
    assert!(
        !told(missing("secret/a", "r-1")).contains("did you mean"),
        "a missing object is no matter of identity"
    );
}

#[test]
fn objects_that_fail_for_one_reason_are_named_together_and_it_is_told_once() {
    let failures: Vec<_> = (0..200).map(|index| missing(&format!("secret/s-{index}"), "r")).collect();
    let message = told(&failures);
    let start = "cannot read 200 objects from vault lab: secret/s-0, secret/s-1, secret/s-2 and 197 more: 404 \
                 SecretNotFound; check objectName";
    assert!(message.starts_with(start), "{message}");
    assert_eq!(message.matches("404 SecretNotFound").count(), 1);
    assert!(message.contains("All 200: secret/s-0, ") && message.contains("secret/s-199"), "{message}");
    let cut: String = message.chars().take(1_000).collect();
    assert!(cut.contains("Key Vault says"), "an event shows the point: {cut}");
}

#[test]
fn several_reasons_are_a_line_each_in_the_order_of_their_first_objects() {
    let message = told(&[
        missing("secret/zebra", "r-1"),
        failure("key/k", 403, "ForbiddenByRbac", "Caller is not authorized", "r-2"),
        missing("secret/ant", "r-3"),
        failure("cert/c", 403, "ForbiddenByRbac", "Caller is not authorized", "r-4"),
    ]);
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines[0], "cannot read 4 objects from vault lab:");
    assert!(
        lines[1].starts_with("[AKV-NotFound] secret/zebra, secret/ant: 404 SecretNotFound; "),
        "{message}"
    );
    let role = |object: &str, role: &str| {
        format!(
            "[AKV-ForbiddenByRbac] {object}: 403 ForbiddenByRbac; grant workload identity c (object id {OBJECT_ID}) the \
             role {role} on vault lab; "
        )
    };
    assert!(lines[2].starts_with(&role("key/k", "Key Vault Crypto User")), "{message}");
    assert!(lines[3].starts_with(&role("cert/c", "Key Vault Certificate User")), "{message}");
    assert!(lines[4].starts_with("Key Vault says of secret/zebra: A secret"), "{message}");
    assert!(lines[7].ends_with("; request ids of Azure: r-1, r-2, r-3, r-4)"), "{message}");
}

#[test]
fn an_event_shows_what_to_change_for_several_reasons_however_much_a_vault_says() {
    let wordy = "word ".repeat(500);
    let many = (0..50).map(|index| failure(&format!("secret/s-{index}"), 404, "SecretNotFound", &wordy, "r"));
    let others = [
        failure("key/k", 403, "ForbiddenByRbac", &wordy, "r"),
        failure("cert/c", 403, "ForbiddenByRbac", &wordy, "r"),
        failure("secret/off", 403, "SecretDisabled", &wordy, "r"),
    ];
    let message = told(&many.chain(others).collect::<Vec<_>>());
    let shown: String = message.chars().take(1_000).collect();
    let parts =
        ["secret/s-0, ", "objectName", "Key Vault Crypto User", "Key Vault Certificate User", "enable it"];
    for part in parts {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    assert!(
        message.contains("\nAll 50 with secret/s-0: secret/s-0, ") && message.contains("secret/s-49"),
        "{message}"
    );
}

#[test]
fn two_tries_differ_in_nothing_but_azures_ids() {
    let one = told(&[missing("secret/a", "11111"), missing("secret/b", "22222")]);
    let other = told(&[missing("secret/a", "33333"), missing("secret/b", "44444")]);
    let same = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    assert!(one != other && same >= one.find("11111").unwrap(), "{one}\n{other}");
}

fn refused(source: TokenSource, presented: Option<Presented>, description: &str) -> String {
    let body = serde_json::json!({"error": "invalid_client", "error_description": description});
    let asked =
        Asked { identity: "workload identity c".to_owned(), client: Some("c".to_owned()), source, presented };
    let error = IdentityError::Refused {
        asked: Box::new(asked),
        answer: Box::new(TokenAnswer::parse(401, body.to_string().as_bytes())),
    };
    let wanted = ["secret/a".to_owned(), "secret/b".to_owned()];
    Identity { wanted: &wanted, vault: &"lab".parse().unwrap(), error: &error, misspellings: &[] }.to_string()
}

fn entra() -> TokenSource {
    TokenSource::Entra { tenant: "t".parse().unwrap(), host: "login.microsoftonline.com".to_owned() }
}

#[test]
fn a_federated_credential_can_be_made_from_the_message() {
    let presented = Presented {
        issuer: "https://oidc.example/".to_owned(),
        subject: "system:serviceaccount:default:app".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    };
    assert_eq!(
        refused(
            entra(),
            Some(presented.clone()),
            "AADSTS700213: No match. Trace ID: 1 Correlation ID: 2 Timestamp: 3"
        ),
        "cannot read 2 objects from vault lab (secret/a, secret/b): tenant t at login.microsoftonline.com refused \
         workload identity c: AADSTS700213; add a federated credential to client c with issuer \
         'https://oidc.example/', subject 'system:serviceaccount:default:app' and audience \
         'api://AzureADTokenExchange' (a new one takes some seconds to spread). The answer was: No match. (status 401; \
         Trace ID: 1 Correlation ID: 2 Timestamp: 3)"
    );
    let proxy = TokenSource::TokenProxy { tenant: "t".parse().unwrap(), host: "kubernetes".to_owned() };
    let bound = refused(proxy, Some(presented), "AADSTS70021: No match.");
    assert!(
        bound.contains("has an identity binding for client c, and that system:serviceaccount:"),
        "{bound}"
    );
    let unread = refused(entra(), None, "AADSTS70021: No match.");
    assert!(unread.contains("add a federated credential to client c that fits"), "{unread}");
}

#[test]
fn a_number_that_nobody_knows_is_told_in_its_own_words() {
    let message = refused(entra(), None, "AADSTS999999: Something new. Trace ID: 1");
    assert!(
        message.ends_with("refused workload identity c: AADSTS999999. The answer was: Something new. (status 401; Trace ID: 1)"),
        "{message}"
    );
}

#[test]
fn a_timeout_tells_what_it_waited_for_and_ends_in_what_differs() {
    let waiting = Waiting::Reads {
        host: "lab.vault.azure.net".to_owned(),
        missing: vec!["secret/b".to_owned(), "secret/c".to_owned()],
        wanted: 20,
        stage: None,
        throttled: false,
        last: Some(503),
    };
    let wanted: Vec<String> = (0..20).map(|index| format!("secret/{index}")).collect();
    let text = OutOfTime {
        wanted: &wanted,
        vault: &"lab".parse().unwrap(),
        budget: Duration::from_secs(90),
        waiting: &waiting,
        spent: Duration::from_millis(89_500),
    };
    assert_eq!(
        text.to_string(),
        "cannot read 20 objects from vault lab (secret/0, secret/1, secret/2 and 17 more): the mount was given up after \
         90.0 seconds, before its caller's patience ended: it waited for answers of \
         lab.vault.azure.net; kubelet tries again; look for what is slow between node and Azure (2 of 20 objects are \
         missing: secret/b, secret/c; the last answer was status 503; for 89.5 seconds)"
    );
}

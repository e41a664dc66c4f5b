use std::sync::Arc;

use azure_core::{
    error::{Error, ErrorKind},
    http::{RawResponse, headers::Headers},
};

use crate::{
    identity::{TokenErrorResponse, TokenRequestInfo, TokenSource, UnverifiedClaims},
    vault::VaultError,
};

use super::{
    super::{
        error::{AskedVault, Caller, ObjectError, ObjectFailure},
        timeout_cause::TimeoutCause,
    },
    *,
};

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
    ObjectFailure { vault: None, kind, object: object.to_owned(), error: ObjectError::Vault(Arc::new(error)) }
}

fn asked_vault(vault: &str) -> AskedVault {
    let host = format!("{vault}.vault.azure.net");
    AskedVault { name: vault.parse().unwrap(), host, other_authority: None }
}

fn missing(object: &str, request: &str) -> ObjectFailure {
    failure(object, 404, "SecretNotFound", &format!("A secret {object} was not found"), request)
}

fn error(failures: Vec<ObjectFailure>) -> MountError {
    let caller = Caller {
        identity: IDENTITY.to_owned(),
        tenant: Some(TENANT.parse().unwrap()),
        object_id: Some(OBJECT_ID.to_owned()),
        vaults: ["lab", "lab-2"].map(asked_vault).into(),
        misspellings: Vec::new(),
    };
    MountError::Objects { vault: "lab".parse().unwrap(), caller: Box::new(caller), failures }
}

const IDENTITY: &str = "workload identity cccccccc-0000-0000-0000-000000000002";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";

fn message(failures: Vec<ObjectFailure>, code: FailureCode) -> String {
    let message = error(failures).message(code);
    assert!(message.len() <= MAX_MESSAGE_BYTES && !message.contains('\n'), "{message}");
    message
}

#[test]
fn one_object_is_one_line_with_the_action_before_azures_words() {
    assert_eq!(
        message(vec![missing("secret/a", "r-1")], FailureCode::NotFound),
        format!(
            "[AKV-NotFound] cannot read secret/a from vault lab: 404 SecretNotFound; check objectName, objectType and \
             objectVersion; asked lab.vault.azure.net as {IDENTITY} of tenant {TENANT}; Key Vault says: A secret \
             secret/a was not found"
        )
    );
}

#[test]
fn an_object_of_another_vault_is_reported_with_that_vault() {
    let other = |request| {
        let failure = missing("secret/a", request);
        ObjectFailure {
            vault: Some("lab-2".parse().unwrap()),
            object: "lab-2/secret/a".to_owned(),
            ..failure
        }
    };
    let alone = message(vec![other("r-1")], FailureCode::NotFound);
    assert!(alone.starts_with("[AKV-NotFound] cannot read lab-2/secret/a from vault lab-2: 404"), "{alone}");
    assert!(alone.contains("; asked lab-2.vault.azure.net as "), "{alone}");
    let both = message(vec![missing("secret/a", "r-1"), other("r-2")], FailureCode::NotFound);
    let head = "[AKV-NotFound] cannot read 2 objects from several vaults: secret/a: 404 SecretNotFound; ";
    assert!(both.starts_with(head), "{both}");
    assert!(both.contains("; [AKV-NotFound] lab-2/secret/a: 404 SecretNotFound; "), "{both}");
    assert!(both.contains("; asked lab.vault.azure.net as "), "{both}");
}

#[test]
fn a_refusal_names_a_misspelt_identity_parameter() {
    let message_for = |failure: ObjectFailure| {
        let mut error = error(vec![failure]);
        if let MountError::Objects { caller, .. } = &mut error {
            caller.misspellings = vec![Misspelling {
                written: crate::spec::excerpt::Excerpt::of("userAssignedIdentityId"),
                meant: "userAssignedIdentityID",
            }];
        }
        error.to_string()
    };
    let hint =
        "; parameter \"userAssignedIdentityId\" is unknown (did you mean userAssignedIdentityID?); asked";
    let refused = message_for(failure("secret/a", 403, "ForbiddenByRbac", "words", "r-1"));
    assert!(refused.contains(hint), "{refused}");
    let missing = message_for(missing("secret/a", "r-1"));
    assert!(!missing.contains("did you mean"), "a missing object has nothing to do with identity: {missing}");
}

#[test]
fn objects_that_fail_for_one_reason_are_named_together_and_counted() {
    let failures: Vec<_> = (0..200).map(|index| missing(&format!("secret/s-{index}"), "r")).collect();
    let text = message(failures, FailureCode::NotFound);
    let start = "[AKV-NotFound] cannot read secret/s-0, secret/s-1, secret/s-2 and 197 more from vault lab: 404 \
                 SecretNotFound; check objectName";
    assert!(text.starts_with(start), "{text}");
    assert_eq!(text.matches("404 SecretNotFound").count(), 1);
    let failures: Vec<_> = (0..200).map(|index| missing(&format!("secret/s-{index}"), "r")).collect();
    let all = error(failures).to_string();
    assert!(all.contains("secret/s-199") && !all.contains('\n'), "{all}");
}

#[test]
fn several_causes_are_on_one_line_and_that_of_the_code_is_first() {
    let failures = vec![
        missing("secret/zebra", "r-1"),
        failure("key/k", 403, "ForbiddenByRbac", "Caller is not authorized", "r-2"),
        missing("secret/ant", "r-3"),
        failure("cert/c", 403, "ForbiddenByRbac", "Caller is not authorized", "r-4"),
    ];
    let text = message(failures, FailureCode::ForbiddenByRbac);
    let role = |role: &str| {
        format!(
            "403 ForbiddenByRbac; grant the role {role} on vault lab to object id {OBJECT_ID}; a new assignment"
        )
    };
    let parts = [
        "[AKV-ForbiddenByRbac] cannot read 4 objects from vault lab: key/k: ",
        &role("Key Vault Crypto User"),
        "; [AKV-ForbiddenByRbac] cert/c: ",
        &role("Key Vault Certificate User"),
        "; [AKV-NotFound] secret/zebra, secret/ant: 404 SecretNotFound; check objectName",
        "; asked lab.vault.azure.net as ",
        "; Key Vault says: Caller is not authorized",
    ];
    let mut rest = text.as_str();
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?}, in this order, in {text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn objects_that_do_not_fit_are_counted_and_logged() {
    let wordy = "word ".repeat(500);
    let failures = || {
        let alias = |index| format!("secret/{}-{index}", "long".repeat(20));
        let reasons = ["SecretNotFound", "B", "C", "D", "E", "F", "G", "H", "I", "J"];
        let one = |(index, code): (usize, &&str)| failure(&alias(index), 404, code, &wordy, "r");
        reasons.iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let text = message(failures(), FailureCode::NotFound);
    assert!(text.contains(" more, which the provider's log names"), "{text}");
    let all = error(failures()).log_details(FailureCode::NotFound).all.expect("something was left out");
    assert!(all.contains("404 J") && all.contains("long-9") && !all.contains('\n'), "{all}");
}

#[test]
fn two_tries_have_the_same_message_and_the_log_has_azures_ids() {
    let tries = ["1", "2"].map(|id| error(vec![missing("secret/a", id), missing("secret/b", "3")]));
    let [one, other] = tries.each_ref().map(|error| error.message(FailureCode::NotFound));
    assert_eq!(one, other);
    let ids = tries.each_ref().map(|error| error.log_details(FailureCode::NotFound).request_ids);
    assert_eq!(ids, ["1, 3", "2, 3"]);
}

/// Message with ids of Azure's length and names of twenty characters.
#[test]
fn the_first_250_bytes_have_the_code_the_objects_the_cause_and_the_action() {
    for (status, code, expected, action) in [
        (404, "SecretNotFound", FailureCode::NotFound, "objectVersion"),
        (403, "ForbiddenByRbac", FailureCode::ForbiddenByRbac, OBJECT_ID),
        (403, "ForbiddenByPolicy", FailureCode::ForbiddenByPolicy, OBJECT_ID),
        (403, "ForbiddenByFirewall", FailureCode::ForbiddenByFirewall, "firewall of vault lab"),
        (403, "ForbiddenByConnection", FailureCode::ForbiddenByConnection, "on the node"),
        (403, "SecretDisabled", FailureCode::ObjectDisabled, "enable it in the vault"),
        (429, "Throttled", FailureCode::Throttled, "several vaults"),
        (503, "X", FailureCode::VaultDown, "kubelet tries again"),
    ] {
        let name = |index| format!("secret/connection-string-{index}");
        let failures: Vec<_> =
            (0..20).map(|index| failure(&name(index), status, code, "Words", "r")).collect();
        let text = message(failures, expected);
        let begin = &text[..text.floor_char_boundary(250)];
        assert!(begin.starts_with(&format!("[{expected}] ")), "{text}");
        for part in ["secret/connection-string-0", " and 18 more", "vault lab", &status.to_string(), action] {
            assert!(begin.contains(part), "no {part} in the first 250 bytes of {text}");
        }
    }
}

fn refused(source: TokenSource, presented: Option<UnverifiedClaims>, description: &str) -> MountError {
    let body = serde_json::json!({"error": "invalid_client", "error_description": description});
    let asked = TokenRequestInfo {
        identity: "workload identity c".to_owned(),
        client: Some("c".to_owned()),
        source,
        presented,
        with_certificate: false,
    };
    let error = IdentityError::Refused {
        asked: Box::new(asked),
        answer: Box::new(TokenErrorResponse::parse(401, body.to_string().as_bytes())),
    };
    let wanted = vec!["secret/a".to_owned(), "secret/b".to_owned()];
    MountError::Identity {
        wanted,
        vault: "lab".parse().unwrap(),
        error: Arc::new(error),
        misspellings: Vec::new(),
    }
}

fn entra() -> TokenSource {
    TokenSource::Entra { tenant: "t".parse().unwrap(), host: "login.microsoftonline.com".to_owned() }
}

#[test]
fn a_federated_credential_can_be_made_from_the_message() {
    let presented = UnverifiedClaims {
        issuer: "https://oidc.example/".to_owned(),
        subject: "system:serviceaccount:default:app".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    };
    let description = "AADSTS700213: No match. Trace ID: 1 Correlation ID: 2 Timestamp: 3";
    let error = refused(entra(), Some(presented.clone()), description);
    assert_eq!(
        error.message(FailureCode::NoFederatedCredential),
        "[AKV-NoFederatedCredential] cannot read secret/a, secret/b from vault lab: Entra refused the identity: \
         AADSTS700213; add a federated credential for subject 'system:serviceaccount:default:app', issuer \
         'https://oidc.example/' and audience 'api://AzureADTokenExchange' to client c (a new one takes some seconds to \
         spread); asked tenant t at login.microsoftonline.com as workload identity c; the answer was: No match."
    );
    let details = error.log_details(FailureCode::NoFederatedCredential);
    assert_eq!(details.request_ids, "Trace ID: 1 Correlation ID: 2 Timestamp: 3");
    let proxy = TokenSource::TokenProxy { tenant: "t".parse().unwrap(), host: "kubernetes".to_owned() };
    let bound = refused(proxy, Some(presented), "AADSTS70021: No match.").to_string();
    assert!(
        bound.contains("has an identity binding for client c, and that system:serviceaccount:"),
        "{bound}"
    );
    let unread = refused(entra(), None, "AADSTS70021: No match.").to_string();
    assert!(unread.contains("add a federated credential to client c that fits"), "{unread}");
}

#[test]
fn an_unknown_number_of_entra_is_reported_with_entras_own_words() {
    let message = refused(entra(), None, "AADSTS999999: Something new. Trace ID: 1").to_string();
    assert!(message.contains("Entra refused the identity: AADSTS999999; asked "), "{message}");
    assert!(message.ends_with("; the answer was: Something new."), "{message}");
}

#[test]
fn a_mount_that_got_no_permit_names_the_queue_that_it_stood_in() {
    let message = |queue| {
        let (vault, budget) = ("lab".parse().unwrap(), Budget::Configured(Duration::from_secs(90)));
        MountError::QueueTimeout { vault, budget, queue }.message(FailureCode::TimeoutQueued)
    };
    assert_eq!(
        message(MountQueue::Permits),
        "[AKV-TimeoutQueued] timed out after 90s in the mount queue: vault lab, or the node, is at its limit of mounts; \
         kubelet tries again, and the log says what kept the mounts before it"
    );
    assert_eq!(
        message(MountQueue::LargeClasses),
        "[AKV-TimeoutQueued] timed out after 90s while waiting for memory that other large SecretProviderClasses use, \
         those of the pod's namespace above all; kubelet tries again, and the log says what kept the mounts before it"
    );
}

#[test]
fn a_timeout_names_its_phase_and_the_log_has_what_was_missing() {
    let error = |budget, spent| MountError::Timeout {
        wanted: (0..20).map(|index| format!("secret/{index}")).collect(),
        vault: "lab".parse().unwrap(),
        budget,
        waiting: Box::new(TimeoutCause::Reads {
            host: "lab.vault.azure.net".to_owned(),
            missing: vec!["secret/2".to_owned(), "secret/3".to_owned()],
            wanted: 20,
            connect_phase: None,
            throttled: false,
            last: Some(503),
        }),
        spent: Duration::from_millis(spent),
    };
    let budget = Budget::Configured(Duration::from_secs(90));
    let code = FailureCode::TimeoutRead;
    assert_eq!(
        error(budget, 89_500).message(code),
        "[AKV-TimeoutRead] cannot read secret/0, secret/1, secret/2 and 17 more from vault lab: timed out after 90s while \
         waiting for answers from lab.vault.azure.net; kubelet tries again; check what is slow between node and Azure"
    );
    assert_eq!(error(budget, 89_500).message(code), error(budget, 71_200).message(code));
    assert!(error(Budget::Caller, 1).message(code).contains("timed out at the caller's deadline while"));
    assert_eq!(
        error(budget, 89_500).log_details(code).seen,
        "2 of 20 objects are missing: secret/2, secret/3; the last answer was status 503; this took 89.5 s"
    );
}

/// Returns the example messages of docs/errors.md and docs/codes.md.
fn documented() -> Vec<String> {
    let pages = [include_str!("../../../../docs/errors.md"), include_str!("../../../../docs/codes.md")];
    let examples =
        |page: &'static str| page.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    pages.into_iter().flat_map(examples).map(|example| example.trim().to_owned()).collect()
}

#[test]
fn the_examples_of_the_documentation_are_messages_that_the_code_makes() {
    let vault = || "demo".parse().unwrap();
    let wanted = |count: usize| {
        let letters = (0..count).map(|index| format!("secret/{}", char::from(b'a' + index as u8)));
        letters.collect::<Vec<_>>()
    };
    let client = "cccccccc-0000-0000-0000-000000000002".to_owned();
    let source =
        TokenSource::Entra { tenant: TENANT.parse().unwrap(), host: "login.microsoftonline.com".to_owned() };
    let presented = UnverifiedClaims {
        issuer: "https://oidc.example/".to_owned(),
        subject: "system:serviceaccount:default:app".to_owned(),
        audience: "api://AzureADTokenExchange".to_owned(),
    };
    let asked = TokenRequestInfo {
        identity: IDENTITY.to_owned(),
        client: Some(client),
        source,
        presented: Some(presented),
        with_certificate: false,
    };
    let body = serde_json::json!({
        "error": "invalid_client",
        "error_description": "AADSTS700213: No matching federated identity record found for presented assertion subject \
                              'system:serviceaccount:default:app'. https://learn.microsoft.com/x Trace ID: 1",
    });
    let answer = Box::new(TokenErrorResponse::parse(401, body.to_string().as_bytes()));
    let refused = MountError::Identity {
        wanted: wanted(5),
        vault: vault(),
        error: Arc::new(IdentityError::Refused { asked: Box::new(asked), answer }),
        misspellings: Vec::new(),
    };
    let objects = |failures| {
        let mut error = error(failures);
        if let MountError::Objects { vault: name, caller, .. } = &mut error {
            *name = vault();
            caller.vaults = vec![asked_vault("demo")];
        }
        error
    };
    let unauthorized = "Caller is not authorized to perform action on resource.";
    let timeout = MountError::Timeout {
        wanted: wanted(20),
        vault: vault(),
        budget: Budget::Configured(Duration::from_secs(90)),
        waiting: Box::new(TimeoutCause::Reads {
            host: "demo.vault.azure.net".to_owned(),
            missing: Vec::new(),
            wanted: 20,
            connect_phase: None,
            throttled: false,
            last: None,
        }),
        spent: Duration::ZERO,
    };
    let made = [
        refused.message(FailureCode::NoFederatedCredential),
        objects(vec![
            missing("secret/db-pasword", "r"),
            missing("secret/nope", "r"),
            failure("cert/web", 403, "ForbiddenByRbac", unauthorized, "r"),
        ])
        .message(FailureCode::ForbiddenByRbac),
        timeout.message(FailureCode::TimeoutRead),
        objects(vec![failure("secret/db-password", 403, "ForbiddenByRbac", unauthorized, "r")])
            .message(FailureCode::ForbiddenByRbac),
    ];
    let documented = documented();
    assert_eq!(documented.len(), made.len(), "{documented:#?}");
    for (example, message) in documented.iter().zip(&made) {
        assert_eq!(example, message);
    }
}

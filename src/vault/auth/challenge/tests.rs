use super::*;

fn read(challenge: &str) -> Result<Challenge, ChallengeError> {
    let vault = VaultEndpoint {
        url: "https://lab.vault.azure.net/".parse().unwrap(),
        authority: "https://login.microsoftonline.com/".parse().unwrap(),
        audience: "https://vault.azure.net".to_owned(),
    };
    Challenge::for_vault(challenge, &vault)
}

#[test]
fn a_challenge_is_for_the_vaults_own_service() {
    for (challenge, good) in [
        (
            r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net""#,
            true,
        ),
        (
            r#"Bearer authorization="https://login.windows.net/t", scope="https://vault.azure.net/.default""#,
            true,
        ),
        (r#"Bearer resource="https://vault.azure.net",authorization="https://login.windows.net/t""#, true),
        (r#"bearer RESOURCE="https://vault.azure.net""#, true),
        (r#"Bearer authorization="https://login.windows.net/t" resource="https://vault.azure.net""#, true),
        (r#"PoP a="b", Bearer resource="https://vault.azure.net", Basic realm="x""#, true),
        (r#"Bearer resource="https://vault.evil.net""#, false),
        (r#"Bearer resource="https://azure.net.evil""#, false),
        (r#"Bearer resource="https://azure.net""#, false),
        (r#"Bearer resource="https://net""#, false),
        (r#"Bearer resource="https://lab.vault.azure.net""#, false),
        (r#"Bearer resource="vault.azure.net""#, false),
        (r#"Bearer resource="https://vault.azure.net/?\\""#, false),
        (r#"Bearer resource="https://vault.azure.net/#a""#, false),
        (r#"Bearer resource="https://a@vault.azure.net""#, false),
        (r#"Bearer resource="http://vault.azure.net""#, false),
        (r#"PoP resource="https://vault.azure.net""#, false),
        (r#"Bearer authorization="https://login.microsoftonline.com/t""#, false),
        // Without quotes, and without commas.
        ("Bearer authorization=https://login.microsoftonline.com/t, resource=https://vault.azure.net", true),
        ("Bearer authorization=https://login.microsoftonline.com/t resource=https://vault.azure.net", true),
        (
            r#"Bearer authorization=https://login.microsoftonline.com/t,resource="https://vault.azure.net""#,
            true,
        ),
        ("Bearer resource=https://vault.evil.net", false),
        ("Bearer resource=", false),
        ("Bearer =", false),
        ("=", false),
        (r#"Bearer resource="https://vault.azure.net"#, false),
        ("Basic realm=x", false),
        ("Bearer", false),
        ("", false),
    ] {
        assert_eq!(read(challenge).is_ok(), good, "{challenge}");
    }
}

#[test]
fn a_challenge_that_names_another_authority_is_taken_and_the_name_kept_as_a_hint() {
    for named in ["https://login.evil.example/t", "http://login.microsoftonline.com/t", "login", ""] {
        let text = format!(r#"Bearer authorization="{named}", resource="https://vault.azure.net""#);
        let challenge = read(&text).unwrap();
        assert_eq!(*challenge.authority(), NamedAuthority::Other(Excerpt::of(named)));
        assert_eq!(challenge.to_string(), r#"Bearer resource="https://vault.azure.net""#);
    }
}

#[test]
fn the_tenant_of_a_challenge_is_believed_at_the_clouds_own_authority_alone() {
    const TENANT: &str = "11111111-2222-3333-4444-555555555555";
    let named = |authority: &str| {
        let text = format!(r#"Bearer authorization="{authority}", resource="https://vault.azure.net""#);
        read(&text).unwrap().authority().clone()
    };
    let own = NamedAuthority::Own(TENANT.parse().unwrap());
    for host in [
        "login.microsoftonline.com",
        "LOGIN.MicrosoftOnline.com",
        "login.windows.net",
        "sts.windows.net",
        "westus2.login.microsoft.com",
    ] {
        for end in ["", "/", "/oauth2/authorize"] {
            assert_eq!(named(&format!("https://{host}/{TENANT}{end}")), own, "{host}{end}");
        }
    }
    for path in ["", "/", "/common", "/Organizations", "/consumers/", "/a%2fb", "//"] {
        let authority = format!("https://login.microsoftonline.com{path}");
        assert_eq!(named(&authority), NamedAuthority::NoTenant, "{authority}");
    }
    for other in [
        format!("https://login.microsoftonline.us/{TENANT}"),
        format!("https://login.microsoftonline.com.evil.test/{TENANT}"),
        format!("https://login.microsoftonline.com@evil.test/{TENANT}"),
        format!("http://login.microsoftonline.com/{TENANT}"),
    ] {
        assert_eq!(named(&other), NamedAuthority::Other(Excerpt::of(&other)), "{other}");
    }
    let silent = read(r#"Bearer resource="https://vault.azure.net""#).unwrap();
    assert_eq!(*silent.authority(), NamedAuthority::NoTenant);
}

#[test]
fn a_demand_for_claims_is_read_whatever_its_base64_is() {
    let json = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"},"x":"~~~???>>>"}}"#;
    let bytes = json.as_bytes();
    for claims in [
        data_encoding::BASE64.encode(bytes),
        BASE64_NOPAD.encode(bytes),
        data_encoding::BASE64URL.encode(bytes),
        BASE64URL_NOPAD.encode(bytes),
    ] {
        for quote in ["\"", ""] {
            let text = format!(
                "Bearer authorization=\"https://login.microsoftonline.com/t\", error={quote}insufficient_claims{quote}, \
                 claims={quote}{claims}{quote}"
            );
            let challenge = ClaimsChallenge::read(&text).unwrap();
            assert_eq!(challenge.claims.as_deref(), Some(json), "{text}");
        }
    }
}

#[test]
fn claims_that_are_no_json_object_are_not_passed_on() {
    let read = |claims: &str| {
        ClaimsChallenge::read(&format!(r#"Bearer error="insufficient_claims", claims="{claims}""#))
    };
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_CLAIMS_BYTES));
    for json in ["[]", "no", "1", &long] {
        assert_eq!(
            read(&BASE64_NOPAD.encode(json.as_bytes())),
            Some(ClaimsChallenge { claims: None }),
            "{json}"
        );
    }
    assert_eq!(read("%"), Some(ClaimsChallenge { claims: None }));
    for text in
        ["", "Bearer", r#"Bearer error="invalid_token", claims="e30""#, "Basic error=insufficient_claims"]
    {
        assert_eq!(ClaimsChallenge::read(text), None, "{text}");
    }
}

#[test]
fn a_token_is_for_what_the_cloud_says_whatever_the_vault_names() {
    for text in [
        r#"Bearer resource="https://vault.azure.net""#,
        r#"Bearer resource="https://vault.azure.net/somebody/else""#,
        r#"Bearer x="resource=\"https://evil\"", resource="https://vault.azure.net""#,
        r#"Bearer scope="https://vault.azure.net/.default", resource="https://evil""#,
        r#"Bearer resource="https://vault.azure.net/\"b""#,
    ] {
        let challenge = read(text).unwrap();
        assert_eq!(challenge.to_string(), r#"Bearer resource="https://vault.azure.net""#, "{text}");
        assert_eq!(read(&challenge.to_string()), Ok(challenge));
    }
}

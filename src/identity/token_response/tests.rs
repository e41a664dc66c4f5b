use serde_json::json;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2030-06-15 12:00 UTC);

/// Returns the expiry from these fields beside a token.
fn expiry(mut fields: Value) -> Result<OffsetDateTime, TokenResponseError> {
    fields["access_token"] = json!("t0ken");
    let response = TokenResponse::read(fields.to_string().as_bytes(), NOW)?;
    assert_eq!(response.token.expose(), "t0ken", "{fields}");
    Ok(response.expires_on)
}

#[test]
fn an_expiry_is_read_in_every_form_that_a_token_source_writes() {
    let (hour, on) = (datetime!(2030-06-15 13:00 UTC), datetime!(2030-12-31 23:59:59 UTC));
    for (fields, expected) in [
        // Entra's usual form, and its other form.
        (json!({"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600}), hour),
        (json!({"token_type": "Bearer", "expires_in": "3600", "ext_expires_in": "3600"}), hour),
        // IMDS, and its replacements.
        (json!({"expires_in": "86399", "expires_on": "1924991999", "resource": "r"}), on),
        (json!({"expires_in": 86399, "expires_on": 1_924_991_999, "not_before": 1}), on),
        (json!({"expires_on": "1924991999"}), on),
        (json!({"expires_on": " 1924991999.75 "}), on),
        (json!({"expires_on": 1_924_991_999.5}), on),
        (json!({"expires_in": "", "expires_on": "12/31/2030 11:59:59 PM +00:00"}), on),
        (json!({"expires_on": "12/31/2030 11:59:59 pm"}), on),
        (json!({"expires_on": "12/31/2030 23:59:59"}), on),
        (json!({"expires_on": "1/1/2031 1:59:59 AM +02:00"}), on),
        (json!({"expires_on": "12/31/2030 23:59:59 +00:00"}), on),
        (json!({"expires_on": "07/14/2030 00:00:00 PM +00:00"}), datetime!(2030-07-14 00:00 UTC)),
        (json!({"expires_on": "07/14/2030 12:00:00 AM +00:00"}), datetime!(2030-07-14 00:00 UTC)),
        (json!({"expires_on": "2030-12-31T23:59:59Z"}), on),
        (json!({"expires_on": "2030-12-31T23:59:59.0000000+00:00"}), on),
        (json!({"expires_on": "2031-01-01T01:59:59+02:00"}), on),
        (json!({"expires_on": "2030-12-31T23:59:59"}), on),
        (json!({"expires_on": "2030-12-31 23:59:59"}), on),
        (json!({"expires_on": "2030-12-31 23:59:59 +00:00"}), on),
        // Unreadable fields are skipped.
        (json!({"expires_on": "soon", "expires_in": "3600"}), hour),
        (json!({"expires_on": null, "expires_in": 3600}), hour),
        (json!({"expires_on": [], "expires_in": 3600.9}), hour),
        (json!({"expires_on": 1_924_991_999_000_i64, "expires_in": 3600}), hour),
        (json!({"expires_in": "", "refresh_in": "3600"}), hour),
        (json!({"refresh_in": 3600}), hour),
    ] {
        assert_eq!(expiry(fields.clone()), Ok(expected), "{fields}");
    }
}

#[test]
fn a_token_without_an_expiry_is_refused_as_by_msal() {
    for fields in [
        json!({}),
        json!({"expires_in": ""}),
        json!({"expires_in": null, "expires_on": {}}),
        json!({"expires_on": "99/99/2030 11:59:59 PM +00:00"}),
        json!({"expires_on": "12/31/2030 11:59:59 PM +00:00 and more"}),
        json!({"expires_in": i64::MAX}),
        json!({"expires_in": "1e300", "expires_on": "NaN"}),
    ] {
        assert_eq!(expiry(fields.clone()), Err(TokenResponseError::NoExpiry), "{fields}");
    }
}

#[test]
fn an_expiry_far_away_is_none_that_the_sdk_cannot_add_up() {
    for fields in [
        json!({"expires_on": "9999-12-31T23:59:59Z"}),
        json!({"expires_on": 4_000_000_000_i64}),
        json!({"expires_in": 200_000_000_000_i64}),
    ] {
        assert_eq!(expiry(fields.clone()), Ok(datetime!(2031-06-15 12:00 UTC)), "{fields}");
    }
}

#[test]
fn what_is_no_token_says_what_is_missing_and_repeats_nothing() {
    use TokenResponseError::{Failed, NoToken, NotAToken, NotAnObject, Page, UnusableToken};
    let error = |text: &str| Failed(Excerpt::of(text));
    for (body, expected) in [
        ("", NotAnObject),
        ("<html>canary</html>", NotAnObject),
        ("<html><title>Sign in</title>canary", Page(Excerpt::of("Sign in"))),
        (r#"{"access_token":"canary""#, NotAnObject),
        ("[]", NotAnObject),
        (r#"["canary",4000000000]"#, NotAnObject),
        (r#""canary""#, NotAnObject),
        (r#"{"access_token":["canary"],"expires_in":1}"#, NotAToken),
        (r#"{"access_token":"","expires_in":1}"#, NoToken),
        (r#"{"canary":{}}"#, NoToken),
        (r#"{"access_token":"can ary","expires_in":1}"#, UnusableToken),
        (r#"{"access_token":"canary\n","expires_in":1}"#, UnusableToken),
        (r#"{"error":"e"}"#, error("e")),
        (r#"{"error":"e","error_description":"d\u001b"}"#, error("e: d\u{1b}")),
    ] {
        let found = TokenResponse::read(body.as_bytes(), NOW).unwrap_err();
        assert_eq!(found, expected, "{body}");
        let text = found.to_string();
        assert!(!text.contains("canary") && !text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn nmi_has_the_token_one_level_deeper_and_may_leave_its_expiry_out() {
    let read = |body: Value| TokenResponse::read_nmi(body.to_string().as_bytes(), NOW);
    let with = |expires_on: Value| json!({"token": {"access_token": "t", "expires_on": expires_on}});
    for (expires_on, expected) in [
        (json!("1924991999"), datetime!(2030-12-31 23:59:59 UTC)),
        (json!(1_924_991_999), datetime!(2030-12-31 23:59:59 UTC)),
        (json!("2030-12-31T23:59:59Z"), datetime!(2030-12-31 23:59:59 UTC)),
        (json!(""), NOW),
        (json!(null), NOW),
    ] {
        assert_eq!(read(with(expires_on.clone())).unwrap().expires_on, expected, "{expires_on}");
    }
    assert_eq!(read(json!({"access_token": "t"})).unwrap_err(), TokenResponseError::NotAToken);
    assert_eq!(read(json!({"token": {}})).unwrap_err(), TokenResponseError::NoToken);
}

#[test]
fn the_sdk_is_given_the_fields_of_both_its_readers() {
    let response = TokenResponse::read(br#"{"access_token":"t0ken","refresh_in":"60"}"#, NOW).unwrap();
    let canonical: Value = serde_json::from_slice(&response.canonical(NOW)).unwrap();
    assert_eq!(
        canonical,
        json!({
            "token_type": "Bearer", "access_token": "t0ken", "expires_in": 60, "ext_expires_in": 60,
            "expires_on": (NOW.unix_timestamp() + 60).to_string(), "resource": "",
        })
    );
    assert!(!format!("{response:?}").contains("t0ken"), "{response:?}");
}

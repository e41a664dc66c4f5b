use super::*;

fn rsa(n: &[u8], e: &[u8]) -> PublicJwk {
    PublicJwk { kty: "RSA".into(), n: Some(n.to_vec()), e: Some(e.to_vec()), ..PublicJwk::default() }
}

fn elliptic(curve: &str, x: &[u8], y: &[u8]) -> PublicJwk {
    PublicJwk {
        kty: "EC".into(),
        curve: Some(curve.into()),
        x: Some(x.to_vec()),
        y: Some(y.to_vec()),
        ..PublicJwk::default()
    }
}

fn text(jwk: &PublicJwk) -> Result<String, JwkError> {
    render(jwk).map(|text| String::from_utf8(text).unwrap())
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// The generator of P-256 (SEC 2, section 2.4.2).
fn generator() -> (Vec<u8>, Vec<u8>) {
    (
        hex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"),
        hex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"),
    )
}

#[test]
fn an_rsa_key_has_null_parameters_and_positive_numbers() {
    let expected = "-----BEGIN PUBLIC KEY-----\n\
                    MBwwDQYJKoZIhvcNAQEBBQADCwAwCAIDAMABAgED\n\
                    -----END PUBLIC KEY-----\n";
    for (label, jwk) in [
        ("as it is", rsa(&[0xc0, 1], &[3])),
        ("leading zeros", rsa(&[0, 0, 0xc0, 1], &[0, 3])),
        ("hsm", PublicJwk { kty: "RSA-HSM".into(), ..rsa(&[0xc0, 1], &[3]) }),
    ] {
        assert_eq!(text(&jwk).as_deref(), Ok(expected), "{label}");
    }
}

#[test]
fn numbers_that_are_not_an_rsa_key_are_refused() {
    let long = |bytes: usize| [vec![0x80], vec![1; bytes - 1]].concat();
    let rows = [
        ("even modulus", rsa(&[0xc0, 2], &[3]), JwkError::Modulus),
        ("zero modulus", rsa(&[0, 0], &[3]), JwkError::Modulus),
        ("modulus one", rsa(&[1], &[3]), JwkError::Modulus),
        ("modulus above 16384 bits", rsa(&long(2049), &[3]), JwkError::Modulus),
        ("even exponent", rsa(&[0xc0, 1], &[4]), JwkError::Exponent),
        ("exponent one", rsa(&[0xc0, 1], &[0, 1]), JwkError::Exponent),
        ("exponent above 256 bits", rsa(&[0xc0, 1], &long(33)), JwkError::Exponent),
        ("megabytes of modulus", rsa(&long(1 << 22), &[3]), JwkError::Modulus),
        ("megabytes of exponent", rsa(&[0xc0, 1], &long(1 << 22)), JwkError::Exponent),
        ("zero exponent", rsa(&[0xc0, 1], &[0]), JwkError::Exponent),
    ];
    for (label, jwk, error) in rows {
        assert_eq!(text(&jwk), Err(error), "{label}");
    }
    assert!(text(&rsa(&long(2048), &[1, 0, 1])).is_ok());
}

#[test]
fn coordinates_get_the_length_of_the_curve() {
    let (x, y) = generator();
    let expected = text(&elliptic("P-256", &x, &y)).unwrap();
    assert!(expected.contains("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt"));
    let zeros = |bytes: &[u8]| [&[0; 5], bytes].concat();
    assert_eq!(text(&elliptic("P-256", &zeros(&x), &zeros(&y))).unwrap(), expected, "too long");
    let hsm = PublicJwk { kty: "EC-HSM".into(), ..elliptic("P-256", &x, &y) };
    assert_eq!(text(&hsm).unwrap(), expected, "hsm");
}

#[test]
fn a_point_off_the_curve_is_refused() {
    let (x, y) = generator();
    for (label, jwk, curve) in [
        ("swapped", elliptic("P-256", &y, &x), "P-256"),
        ("other curve", elliptic("P-256K", &x, &y), "P-256K"),
        ("shifted", elliptic("P-256", &x[..31], &y), "P-256"),
        ("too long", elliptic("P-256", &[&[1], &x[..]].concat(), &y), "P-256"),
        ("zero", elliptic("P-384", &[0], &[0]), "P-384"),
    ] {
        assert_eq!(text(&jwk), Err(JwkError::Point(curve)), "{label}");
    }
}

#[test]
fn missing_and_unknown_parameters_are_named() {
    let (x, y) = generator();
    let whole = elliptic("P-256", &x, &y);
    let rows = [
        ("no type", PublicJwk::default(), "the answer holds no key type (kty)"),
        (
            "symmetric",
            PublicJwk { kty: "oct-HSM".into(), ..PublicJwk::default() },
            "a key of type oct-HSM is symmetric and has no public key",
        ),
        (
            "unknown type",
            PublicJwk { kty: "OKP".into(), ..PublicJwk::default() },
            "key type \"OKP\" is not supported, expected RSA, RSA-HSM, EC or EC-HSM",
        ),
        (
            "unknown curve",
            PublicJwk { curve: Some("P-192".into()), ..whole.clone() },
            "curve \"P-192\" is not supported, expected P-256, P-384, P-521 or P-256K",
        ),
        ("no curve", PublicJwk { curve: None, ..whole.clone() }, "key of type EC lacks its parameter crv"),
        ("no x", PublicJwk { x: None, ..whole.clone() }, "key of type EC lacks its parameter x"),
        ("empty y", PublicJwk { y: Some(vec![]), ..whole }, "key of type EC lacks its parameter y"),
        ("no n", PublicJwk { n: None, ..rsa(&[5], &[3]) }, "key of type RSA lacks its parameter n"),
        ("no e", PublicJwk { e: None, ..rsa(&[5], &[3]) }, "key of type RSA lacks its parameter e"),
    ];
    for (label, jwk, message) in rows {
        assert_eq!(text(&jwk).unwrap_err().to_string(), message, "{label}");
    }
}

#[test]
fn odd_lengths_never_panic() {
    let (x, y) = generator();
    for length in 0..=x.len() {
        for curve in ["P-256", "P-384", "P-521", "P-256K"] {
            let _ = render(&elliptic(curve, &x[..length], &y[length..]));
            let _ = render(&elliptic(curve, &x[length..], &y));
        }
        let _ = render(&rsa(&x[..length], &y[length..]));
    }
}

#[test]
fn megabytes_in_a_name_are_not_repeated_in_the_message() {
    let long = "x".repeat(1 << 22);
    for jwk in [
        PublicJwk { kty: long.clone(), ..PublicJwk::default() },
        elliptic(&long, &[1], &[1]),
        elliptic("P-256", &vec![1; 1 << 22], &[1]),
    ] {
        assert!(render(&jwk).unwrap_err().to_string().len() < 300);
    }
}

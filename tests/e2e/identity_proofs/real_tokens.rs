//! Tokens of a real API server, as a witness that is not of this project.
//!
//! `AKV_API_SERVER_TOKEN` names a file with the output of `kubectl create token NAME --audience
//! api://AzureADTokenExchange`, and `AKV_API_SERVER_KEYS` one with that of `kubectl get --raw /openid/v1/jwks`.

use std::{env, fs, time::SystemTime};

use akv_provider::identity::proof::{KeySet, UnverifiedToken};

#[test]
fn a_token_of_a_real_api_server_proves_its_subject() {
    let file =
        |variable| env::var_os(variable).map(|path| fs::read_to_string(path).expect("the file can be read"));
    let (Some(token), Some(keys)) = (file("AKV_API_SERVER_TOKEN"), file("AKV_API_SERVER_KEYS")) else {
        println!(
            "skipped: AKV_API_SERVER_TOKEN and AKV_API_SERVER_KEYS name no files with a token and its keys"
        );
        return;
    };
    let keys = KeySet::parse(keys.as_bytes()).expect("the API server publishes a key set");
    let parse = || UnverifiedToken::parse(token.trim()).expect("the API server issues tokens");
    let issuer = parse().issuer().into();
    let proof = parse().verify(&issuer, &keys, SystemTime::now()).expect("the token is proved");
    assert!(proof.subject.starts_with("system:serviceaccount:"), "{}", proof.subject);
    println!("proved {} of {}", proof.subject, proof.issuer);
}

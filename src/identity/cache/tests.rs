use azure_core::credentials::{AccessToken, TokenRequestOptions};

use crate::{
    cloud::CloudEnvironment,
    spec::{
        cloud::CloudName,
        identity::IdentityMode,
        sensitive::Sensitive,
        service_principal::{ClientCertificate, ClientProof, SentChain},
    },
};

use super::*;

#[derive(Debug)]
struct Credential;

#[async_trait::async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        unreachable!("this test requests no token")
    }
}

fn key(client: &str) -> CredentialKey {
    let node = IdentityMode::ManagedIdentity { user_assigned: Some(client.parse().unwrap()) };
    CredentialKey::of(&node, &CloudEnvironment::named(CloudName::Public)).unwrap()
}

#[test]
fn the_number_of_credentials_is_bounded() {
    let cache = CredentialCache::new();
    for client in 0..2 * MAX_CREDENTIALS {
        cache.of(&key(&client.to_string())).keep(Arc::new(Credential));
    }
    assert!(cache.0.by_key.len() <= MAX_CREDENTIALS, "{}", cache.0.by_key.len());
}

/// One identity can present one certificate in any number of texts, and Entra accepts each.
#[test]
fn long_certificates_take_the_place_of_several_credentials() {
    let key = |number: usize, bytes: usize| {
        let text = Sensitive::new(format!("{number:0>bytes$}"));
        let password = Sensitive::new(String::new());
        let proof = ClientProof::Certificate(ClientCertificate { text, password, chain: SentChain::Sent });
        let (tenant, client) = ("t".parse().unwrap(), "a".parse().unwrap());
        let identity = IdentityMode::ServicePrincipal { tenant, client, proof };
        CredentialKey::of(&identity, &CloudEnvironment::named(CloudName::Public)).unwrap()
    };
    let keep = |bytes| {
        let cache = CredentialCache::new();
        for number in 0..MAX_CREDENTIALS {
            cache.of(&key(number, bytes)).keep(Arc::new(Credential));
        }
        cache.0.by_key.len()
    };
    let usual = keep(1_000);
    assert!((900..=MAX_CREDENTIALS).contains(&usual), "{usual}");
    let long = keep(32 << 10);
    assert!((60..=120).contains(&long), "{long} credentials of 32 KiB");
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_kept_as_long_as_somebody_asks_for_it() {
    let cache = CredentialCache::new();
    let kept = |client: &str| cache.of(&key(client)).credential().is_some();
    for client in ["a", "b"] {
        cache.of(&key(client)).keep(Arc::new(Credential));
    }
    tokio::time::advance(MAX_IDLE - Duration::from_secs(1)).await;
    assert!(kept("a"));
    tokio::time::advance(Duration::from_secs(1)).await;
    cache.evict_expired();
    assert_eq!(cache.0.by_key.len(), 1);
    assert!(kept("a") && !kept("b"));
    let older = cache.of(&key("a"));
    cache.forget(&key("a"), &older);
    assert!(!kept("a"));
    cache.of(&key("a")).keep(Arc::new(Credential));
    cache.forget(&key("a"), &older);
    assert!(kept("a"), "the newer one stays");
}

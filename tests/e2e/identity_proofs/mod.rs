//! Identities that the issuer's own keys prove: what their pods share, seen by the number of exchanges at Entra.

mod adversary;
mod keys;
mod real_tokens;
mod sharing;
mod tokens;

use std::sync::atomic::{AtomicU32, Ordering};

use akv_emulator::{Route, Service};
use akv_provider::identity::IdentityProofSettings;
use serde_json::{Value, json};
use tonic::Status;

use crate::harness::{Azure, Driver, MountCall, Mounted, Provider};

const ISSUER: &str = "https://oidc.localhost";

const ENTRA_AUDIENCE: &str = "api://AzureADTokenExchange";

const WEB: &str = "system:serviceaccount:default:app";

/// The attribute with the pod's tokens by audience.
const TOKENS: &str = "csi.storage.k8s.io/serviceAccount.tokens";

/// A provider with `--service-account-issuer`, and an Azure with a vault that holds the secret `a`.
struct Fixture {
    azure: Azure,
    provider: Provider,
    driver: Driver,
}

impl Fixture {
    /// Starts a provider, and waits until it has the issuer's keys.
    async fn start() -> Self {
        Self::start_changed(|_| {}).await
    }

    /// Like [`Self::start`], with other settings.
    async fn start_changed(change: impl FnOnce(&mut IdentityProofSettings)) -> Self {
        let fixture = Self::start_without_keys(Azure::with_secrets(&[("a", "1")]).await, change);
        fixture.keys(ISSUER, 1).await;
        fixture
    }

    /// Starts a provider, and does not wait for keys.
    fn start_without_keys(azure: Azure, change: impl FnOnce(&mut IdentityProofSettings)) -> Self {
        let (provider, _) = Provider::start_changed_with_ports(&azure, |config| {
            config.admin.metrics_port = Some(0);
            config.mounts.identity_proofs.issuers = vec![ISSUER.parse().expect("an issuer")];
            change(&mut config.mounts.identity_proofs);
        });
        Self { driver: provider.driver(), azure, provider }
    }

    /// Waits until the provider has this many keys of an issuer.
    async fn keys(&self, issuer: &str, keys: usize) {
        self.provider.wait_for_metric(&format!("akv_issuer_keys{{issuer=\"{issuer}\"}} {keys}")).await;
    }

    /// Waits until this many tokens had this result.
    async fn proofs(&self, result: &str, count: usize) {
        self.provider
            .wait_for_metric(&format!("akv_identity_proofs_total{{result=\"{result}\"}} {count}"))
            .await;
    }

    /// Returns a new token with these claims, which no other call returns.
    fn token(&self, claims: &Value) -> String {
        self.azure.service_account_token_with_claims(claims)
    }

    /// Returns the claims of a token that Kubernetes issues now to the service account `default/app`.
    fn claims(&self) -> Value {
        static TOKENS: AtomicU32 = AtomicU32::new(0);
        let now = self.azure.clock().unix();
        json!({
            "iss": ISSUER, "sub": WEB, "aud": [ENTRA_AUDIENCE], "exp": now + 3_600, "nbf": now, "iat": now,
            "jti": TOKENS.fetch_add(1, Ordering::Relaxed).to_string(),
        })
    }

    /// Returns these claims, with one of them replaced.
    fn claims_with(&self, name: &str, value: impl Into<Value>) -> Value {
        let mut claims = self.claims();
        claims[name] = value.into();
        claims
    }

    /// Returns a new pod that reads the secret `a` with this token.
    fn pod(&self, token: &str) -> MountCall {
        let tokens = json!({ ENTRA_AUDIENCE: { "token": token } }).to_string();
        MountCall::of_secrets(&self.azure, &["a"]).with(TOKENS, &tokens).of_another_pod()
    }

    /// Mounts a volume of a new pod with a new token of these claims.
    async fn mount(&self, claims: &Value) -> Result<Mounted, Status> {
        self.driver.mount(&self.pod(&self.token(claims))).await
    }

    /// Mounts a volume of a new pod of `default/app`, with a token of its own.
    async fn mount_web(&self) {
        self.mount(&self.claims()).await.expect("the pod's identity may read");
    }

    /// Returns the number of tokens that Entra was asked for.
    fn exchanges(&self) -> usize {
        self.azure.journal().count(&Route::token_endpoint())
    }
}

/// Matches requests to the issuer.
fn issuer_requests() -> Route {
    Route::service(Service::Issuer)
}

//! AAD pod identity: a token from NMI on the node, for a pod that is only named.
//!
//! Microsoft has retired it in favour of workload identity; it stays for clusters that still run it. Mounts never
//! share its tokens, since NMI gives them to any client that names a pod.

use std::sync::Arc;

use azure_core::{
    Result,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    http::{ClientOptions, Method, Pipeline, PipelineSendOptions, Request, Url},
    time::OffsetDateTime,
};
use tokio::sync::OnceCell;

use crate::spec::pod::PodRef;

use super::token_response::{TokenResponse, unreadable};

/// The URL of NMI on each node (aad-pod-identity, `pkg/nmi/server`).
const NMI: &str = "http://localhost:2579/host/token/";

/// Returns a credential for the identity that NMI finds bound to `pod`.
pub(super) fn credential(pod: PodRef, options: ClientOptions) -> Result<Arc<dyn TokenCredential>> {
    let pipeline = Pipeline::new(
        Some(env!("CARGO_PKG_NAME")),
        Some(env!("CARGO_PKG_VERSION")),
        options,
        Vec::new(),
        Vec::new(),
        None,
    );
    Ok(Arc::new(PodIdentityCredential { pod, endpoint: NMI.parse()?, pipeline, token: OnceCell::new() }))
}

#[derive(Debug)]
struct PodIdentityCredential {
    pod: PodRef,
    endpoint: Url,
    pipeline: Pipeline,
    /// Requested once: the credential serves one mount, and a mount has three clients.
    token: OnceCell<AccessToken>,
}

#[async_trait::async_trait]
impl TokenCredential for PodIdentityCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> Result<AccessToken> {
        self.token.get_or_try_init(|| self.ask(scopes, options.unwrap_or_default())).await.cloned()
    }
}

impl PodIdentityCredential {
    async fn ask(&self, scopes: &[&str], options: TokenRequestOptions<'_>) -> Result<AccessToken> {
        let [scope] = scopes else {
            return Err(Error::with_message(ErrorKind::Credential, "NMI takes exactly one scope"));
        };
        let mut url = self.endpoint.clone();
        url.query_pairs_mut().append_pair("resource", scope.strip_suffix("/.default").unwrap_or(scope));
        let mut request = Request::new(url, Method::Get);
        request.insert_header("podname", self.pod.name.clone());
        request.insert_header("podns", self.pod.namespace.clone());
        let context = &options.method_options.context;
        let response =
            self.pipeline.send(context, &mut request, Some(PipelineSendOptions::default())).await?;
        let token =
            TokenResponse::read_nmi(response.body(), OffsetDateTime::now_utc()).map_err(unreadable)?;
        Ok(token.into_access_token())
    }
}

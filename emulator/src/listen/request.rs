//! Handles one request: records it, delays it, injects a fault, and answers it.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, HOST, USER_AGENT, WWW_AUTHENTICATE},
    request::Parts,
};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::peer::{Entrance, Peer};
use crate::{
    answer::Answer,
    azure::Azure,
    body::AnswerBody,
    cloud::{Host, TOKEN_PROXY_SUFFIX},
    faults::Fault,
    route::{RequestHead, Service},
};

pub(super) async fn respond(
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let (parts, body) = request.into_parts();
    let head = peer.head(&parts);
    let arrival = peer.azure.journal.arrived(&head);
    let body = read(&parts.method, body).await;
    peer.azure.latency.before_answer(&head).await;
    let fault = peer.azure.faults.take(&head);
    let (mut answer, shape) = match fault {
        Some(fault @ (Fault::Drop | Fault::Reset)) => {
            // The end of a connection arrives as late as an answer.
            peer.way_back().await;
            match peer.end.now(matches!(fault, Fault::Reset)).await {}
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Status { code, retry_after, body }) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut answer = Azure::failing(head.service, status);
            // A fault without Retry-After is a case of its own, so the service's header is removed.
            answer.headers.retain(|(name, _)| name != http::header::RETRY_AFTER);
            if let Some(body) = body {
                answer.body = Bytes::from(body);
            }
            (answer.retry_after(retry_after), None)
        }
        Some(Fault::Answer { code, headers, body }) => (Answer::foreign(code, &headers, body), None),
        Some(Fault::TokenFields(fields)) => {
            (peer.azure.answer(&head, &parts.headers, &body).with_token_fields(fields), None)
        }
        Some(Fault::InvalidBody { content_type, body }) => {
            let content_type = HeaderValue::from_str(&content_type)
                .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
            (Answer::raw(StatusCode::OK, content_type, body), None)
        }
        Some(Fault::Redirect(to)) => (Answer::redirect(&to), None),
        Some(Fault::Challenge(challenge)) => {
            let mut answer = Azure::failing(head.service, StatusCode::UNAUTHORIZED);
            answer.headers.retain(|(name, _)| name != WWW_AUTHENTICATE);
            (answer.header_text(WWW_AUTHENTICATE, &challenge), None)
        }
        Some(fault @ (Fault::HugeBody(_) | Fault::UnannouncedBody(_))) => {
            (Answer::raw(StatusCode::OK, crate::answer::JSON, Bytes::new()), Some(fault))
        }
        fault @ (None | Some(Fault::HangInBody | Fault::CutBody { .. } | Fault::Slow { .. })) => {
            (peer.azure.answer(&head, &parts.headers, &body), fault)
        }
    };
    arrival.answered(answer.status.as_u16(), answer.caller.take(), answer.body.len() as u64);
    Ok(answer.into_response(|body| match shape {
        Some(Fault::HangInBody) => AnswerBody::hang(&body),
        Some(Fault::CutBody { after }) => AnswerBody::cut(&body, after),
        Some(Fault::HugeBody(size)) => AnswerBody::huge(size),
        Some(Fault::UnannouncedBody(size)) => AnswerBody::huge(size).unannounced(),
        Some(Fault::Slow { step, pause }) => AnswerBody::slow(body, step, pause),
        _ => AnswerBody::whole(body),
    }))
}

impl Peer {
    fn head(&self, parts: &Parts) -> RequestHead {
        let named = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(http::uri::Authority::as_str);
        let host = named.or(authority).unwrap_or_default().to_ascii_lowercase();
        let (service, vault) = match &self.entrance {
            Entrance::Imds => (Service::Imds, None),
            Entrance::Nmi => (Service::Nmi, None),
            Entrance::Https { server_name } => {
                let proxied = server_name.as_ref().is_some_and(|name| name.ends_with(TOKEN_PROXY_SUFFIX));
                let issuer =
                    || self.azure.trusted_issuers.document(&host, parts.uri.path()).map(|_| Service::Issuer);
                match proxied.then_some(Service::TokenProxy).or_else(issuer) {
                    Some(service) => (service, None),
                    None => service_of(&host),
                }
            }
        };
        let user_agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        RequestHead {
            service,
            method: parts.method.clone(),
            host,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            vault,
            credentials: parts.headers.contains_key(AUTHORIZATION),
            user_agent: user_agent.unwrap_or_default().to_owned(),
            connection: self.number,
        }
    }
}

fn service_of(host: &str) -> (Service, Option<String>) {
    match Host::parse(host) {
        Host::Login(_) => (Service::Entra, None),
        Host::Vault { name, .. } => (Service::Vault, Some(name)),
        Host::Issuer => (Service::Issuer, None),
        Host::ApiServer => (Service::ApiServer, None),
        Host::Unknown if host.split(':').next().is_some_and(|name| name.ends_with(TOKEN_PROXY_SUFFIX)) => {
            (Service::TokenProxy, None)
        }
        Host::Unknown => (Service::Unknown, None),
    }
}

/// Reads a request's body; empty if it is too large or incomplete.
async fn read(method: &Method, body: Incoming) -> Bytes {
    if method == Method::GET {
        return Bytes::new();
    }
    Limited::new(body, MAX_REQUEST_BYTES)
        .collect()
        .await
        .map_or_else(|_| Bytes::new(), |body| body.to_bytes())
}

const MAX_REQUEST_BYTES: usize = 1024 * 1024;

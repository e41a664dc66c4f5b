//! The HTTP proxy: every tunnel leads to the HTTPS listener. Direct requests to the proxy get pages for operators.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::service_fn,
    upgrade::{OnUpgrade, Parts},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::form_urlencoded;

use super::{delayed_stream::Opening, https::Https};
use crate::{answer::Answer, body::AnswerBody, service_account::Validity};

/// The server for clients that use a proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) https: Https,
    pub(crate) pages: Arc<Pages>,
}

/// The pages at the proxy's own address.
pub(crate) struct Pages {
    pub(crate) ca_pem: String,
    pub(crate) cloud_file: String,
}

impl Proxy {
    pub(crate) async fn serve(self, tcp: TcpStream) {
        let tunnel: Arc<Mutex<Option<OnUpgrade>>> = Arc::default();
        let service = service_fn(|mut request: Request<Incoming>| {
            let answer = if request.method() == Method::CONNECT {
                self.https.azure.journal.connect(&request.uri().to_string());
                *tunnel.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(hyper::upgrade::on(&mut request));
                // No headers: a tunnel has no content (RFC 9110, section 9.3.6).
                Answer { status: StatusCode::OK, headers: Vec::new(), body: Bytes::new(), caller: None }
            } else {
                self.page(&request)
            };
            let opens = request.method() == Method::CONNECT;
            let azure = Arc::clone(&self.https.azure);
            async move {
                if opens {
                    // The proxy answers once its own connection to the target is open.
                    azure.alarms.pass(azure.latency.round_trip().get()).await;
                }
                Ok::<Response<AnswerBody>, Infallible>(answer.into_response(AnswerBody::whole))
            }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(tcp), service).with_upgrades();
        if connection.await.is_err() {
            return;
        }
        let upgrade = tunnel.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Ok(upgraded)) = (match upgrade {
            Some(upgrade) => Some(upgrade.await),
            None => None,
        }) else {
            return;
        };
        if let Ok(Parts { io, read_buf, .. }) = upgraded.downcast::<TokioIo<TcpStream>>() {
            // Bytes sent before the tunnel was open would be lost: no client sends any (RFC 9110, section 9.3.6).
            if read_buf.is_empty() {
                self.https.serve(io.into_inner(), Opening::Done).await;
            }
        }
    }

    fn page(&self, request: &Request<Incoming>) -> Answer {
        match request.uri().path() {
            "/tokens" => self.tokens(request.uri().query().unwrap_or_default()),
            "/ca.pem" => Answer::text(StatusCode::OK, &self.pages.ca_pem),
            "/cloud.json" => Answer::raw(
                StatusCode::OK,
                HeaderValue::from_static("application/json"),
                Bytes::from(self.pages.cloud_file.clone()),
            ),
            "/journal" => {
                let lines = self.https.azure.journal.entries();
                let text: String =
                    lines.iter().map(|entry| format!("{} {}\n", entry.host, entry.line())).collect();
                Answer::text(StatusCode::OK, &text)
            }
            _ => Answer::text(
                StatusCode::NOT_FOUND,
                "this is a CONNECT proxy; it also serves /tokens?namespace=NS&name=NAME[&audience=AUD][&lifetime=SECONDS], \
                 /ca.pem, /cloud.json and /journal\n",
            ),
        }
    }

    /// Returns service-account tokens: the driver's JSON, or a single token's text if the query names an audience.
    fn tokens(&self, query: &str) -> Answer {
        let value = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let (Some(namespace), Some(name)) = (value("namespace"), value("name")) else {
            return Answer::text(StatusCode::BAD_REQUEST, "namespace and name are required\n");
        };
        let lifetime = match value("lifetime").map(|text| text.parse()) {
            None => 3600,
            Some(Ok(seconds)) => seconds,
            Some(Err(_)) => {
                return Answer::text(StatusCode::BAD_REQUEST, "lifetime is a number of seconds\n");
            }
        };
        let validity = Validity::For(Duration::from_secs(lifetime));
        let issuer = &self.https.azure.issuer;
        match value("audience") {
            Some(audience) => {
                Answer::text(StatusCode::OK, &issuer.token(&namespace, &name, &audience, validity))
            }
            None => {
                let tokens = issuer.tokens(&namespace, &name, validity);
                Answer::raw(StatusCode::OK, HeaderValue::from_static("application/json"), Bytes::from(tokens))
            }
        }
    }
}

//! The HTTP proxy: every tunnel leads to the HTTPS listener. A direct request to the proxy gets a page.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::service_fn,
    upgrade::{OnUpgrade, Parts},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{delayed_stream::Opening, https::Https, pages::Pages};
use crate::{answer::Answer, body::AnswerBody};

/// The server for clients that use a proxy.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) https: Https,
    pub(crate) pages: Arc<Pages>,
}

impl Proxy {
    pub(crate) async fn serve(self, tcp: TcpStream) {
        let tunnel: Arc<Mutex<Option<OnUpgrade>>> = Arc::default();
        let service = service_fn(|mut request: Request<Incoming>| {
            let opens = request.method() == Method::CONNECT;
            if opens {
                self.https.azure.journal.connect(&request.uri().to_string());
                *tunnel.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(hyper::upgrade::on(&mut request));
            }
            let (azure, pages) = (Arc::clone(&self.https.azure), Arc::clone(&self.pages));
            async move {
                let answer = if opens {
                    // The proxy answers once its own connection to the target is open.
                    azure.alarms.pass(azure.latency.round_trip().get()).await;
                    // No headers: a tunnel has no content (RFC 9110, section 9.3.6).
                    Answer { status: StatusCode::OK, headers: Vec::new(), body: Bytes::new(), caller: None }
                } else {
                    pages.answer(&azure, request).await
                };
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
}

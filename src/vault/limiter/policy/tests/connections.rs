//! Requests that wait for their connections.

use std::{net::SocketAddr, time::Duration};

use azure_core::http::{Method, Transport};
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::watch,
};

use crate::transport::{Client, Observer, Proxy, Resolve, Resolver, Route};

use super::*;

/// The last policy of a pipeline.
#[derive(Debug)]
struct Sends(Transport);

#[async_trait]
impl Policy for Sends {
    async fn send(&self, ctx: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        self.0.send(ctx, request).await
    }
}

/// Finds a vault at once the first time, and then not before it is `released`.
struct SlowNames {
    vault: SocketAddr,
    asked: watch::Sender<u32>,
    released: watch::Sender<bool>,
}

impl Resolve for SlowNames {
    fn resolve(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        self.asked.send_modify(|asked| *asked += 1);
        let (vault, is_first, mut released) =
            (self.vault, *self.asked.borrow() == 1, self.released.subscribe());
        Box::pin(async move {
            if !is_first {
                released.wait_for(|released| *released).await.map_err(std::io::Error::other)?;
            }
            Ok(vec![vault])
        })
    }
}

/// Refuses the first request when another one waits for its connection, and answers all later ones. Returns when it
/// refused, and when the others came.
async fn refuse_first(listener: TcpListener, names: Arc<SlowNames>) -> (Instant, Vec<Instant>) {
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let serve = async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.read(&mut [0; 4096]).await.is_ok_and(|bytes| bytes > 0) {
                    let (answer, answered) = tokio::sync::oneshot::channel::<&str>();
                    sender.send((Instant::now(), answer)).unwrap();
                    stream.write_all(answered.await.unwrap().as_bytes()).await.unwrap();
                }
            });
        }
    };
    let answer = async move {
        let (_, first) = requests.recv().await.unwrap();
        names.asked.subscribe().wait_for(|asked| *asked == 2).await.unwrap();
        let refused = Instant::now();
        first
            .send("HTTP/1.1 429 Too Many Requests\r\nretry-after-ms: 300\r\ncontent-length: 4\r\n\r\nwait")
            .unwrap();
        names.released.send_replace(true);
        let mut came = Vec::new();
        for _ in 0..2 {
            let (at, answer) = requests.recv().await.unwrap();
            came.push(at);
            answer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
        (refused, came)
    };
    tokio::select! {
        () = serve => unreachable!("it always listens"),
        came = answer => came,
    }
}

/// Otherwise it would get the connection of the refused one, and go to the vault at once.
#[tokio::test]
async fn a_request_that_waits_for_its_connection_is_not_sent_to_a_vault_that_refuses_meanwhile() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let vault = listener.local_addr().unwrap();
    let names =
        Arc::new(SlowNames { vault, asked: watch::Sender::new(0), released: watch::Sender::new(false) });
    let client = Client::new(Route {
        roots: None,
        proxy: Proxy::none(),
        names: Resolver(names.clone()),
        timeouts: Timeouts::within(Duration::from_secs(90)),
        observer: Observer::none(),
    });
    let next: [Arc<dyn Policy>; 1] = [Arc::new(Sends(client.transport()))];
    let policy = policy();
    let read = async || {
        let url = format!("http://lab.example:{}/", vault.port()).parse().unwrap();
        policy.send(&Context::new(), &mut Request::new(url, Method::Get), &next).await
    };
    let (first, second, (refused, came)) = tokio::join!(read(), read(), refuse_first(listener, names));
    assert!([first, second].into_iter().all(|answer| answer.unwrap().status() == 200));
    let waited: Vec<Duration> = came.into_iter().map(|at| at - refused).collect();
    assert!(waited.iter().all(|waited| *waited >= Duration::from_millis(300)), "{waited:?}");
}

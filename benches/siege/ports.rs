//! The ports of probes and metrics: kubelet's probe, and half requests of pods.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};

/// Half requests that are kept open at once.
const HALF_REQUESTS: usize = 8_000;

/// The addresses that they come from, on a node with a hundred pods.
const ADDRESSES: u8 = 100;

/// Kubelet's default: `periodSeconds` is ten, and more probes show more.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// The chart's `timeoutSeconds`.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);

/// The ports of the provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    health: u16,
    metrics: u16,
}

/// Returns two ports that no process has.
pub(crate) fn free() -> io::Result<Ports> {
    let (one, other) =
        (TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    Ok(Ports { health: one.local_addr()?.port(), metrics: other.local_addr()?.port() })
}

impl Ports {
    /// Returns the flags that set the ports.
    pub(crate) fn flags(self) -> [String; 2] {
        [format!("--healthz-port={}", self.health), format!("--prometheus-port={}", self.metrics)]
    }
}

/// Sends half requests until it is dropped.
pub(crate) async fn half_requests(ports: Ports) {
    let mut open = VecDeque::new();
    for number in 0.. {
        let port = if number % 2 == 0 { ports.health } else { ports.metrics };
        let from = 2 + (number / 2 % u32::from(ADDRESSES)) as u8;
        match half_a_request(from, port).await {
            Ok(stream) => open.push_back(stream),
            // No port of the address, or no descriptor, is left.
            Err(_) => drop(open.pop_front()),
        }
        if open.len() > HALF_REQUESTS {
            open.pop_front();
        }
        if number % 100 == 99 {
            sleep(Duration::from_millis(50)).await;
        }
        yield_now().await;
    }
}

async fn half_a_request(from: u8, to: u16) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, from], 0)))?;
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: node\r\n").await?;
    Ok(stream)
}

/// The outcomes of probes. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Probes(Rc<RefCell<Outcomes>>);

#[derive(Default)]
struct Outcomes {
    took: Vec<Duration>,
    missed: usize,
}

impl Probes {
    /// Asks as kubelet does, until it is dropped.
    pub(crate) async fn ask(self, ports: Ports) {
        loop {
            let begin = Instant::now();
            let answer = timeout(PROBE_TIMEOUT, healthz(ports.health)).await;
            let mut outcomes = self.0.borrow_mut();
            match answer {
                Ok(Ok(true)) => outcomes.took.push(begin.elapsed()),
                _ => outcomes.missed += 1,
            }
            drop(outcomes);
            sleep(PROBE_INTERVAL).await;
        }
    }

    pub(crate) fn summary(&self) -> String {
        let Outcomes { took, missed } = &*self.0.borrow();
        let longest = took.iter().max().map_or(0, |took| took.as_millis());
        format!("{} answered, {missed} missed, the longest took {longest} ms", took.len())
    }
}

/// Returns whether the provider is healthy.
async fn healthz(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

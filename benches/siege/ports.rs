//! The ports of probes and metrics: kubelet's probe, half requests of pods, and requests whose answers they do not read.

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

/// Connections of pods that are kept open at once.
const CONNECTIONS: usize = 8_000;

/// The addresses that they come from, on a node with a hundred pods.
const ADDRESSES: u8 = 100;

/// Kubelet's default: `periodSeconds` is ten, and more probes show more.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Probes come from the lowest and the highest address in turn: kubelet's may be on either side of those of pods.
const PROBE_SOURCES: [Ipv4Addr; 2] = [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 255, 255, 254)];

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

/// Sends half requests to both ports, and whole ones to that of metrics, until it is dropped. No answer is read.
pub(crate) async fn flood(ports: Ports) {
    let mut open = VecDeque::new();
    for number in 0.. {
        let port = if number % 2 == 0 { ports.health } else { ports.metrics };
        let from = 2 + (number / 2 % u32::from(ADDRESSES)) as u8;
        let text = if number % 4 == 1 { HALF.to_owned() + "\r\n" } else { HALF.to_owned() };
        match request(from, port, &text).await {
            Ok(stream) => open.push_back(stream),
            // No port of the address, or no descriptor, is left.
            Err(_) => drop(open.pop_front()),
        }
        if open.len() > CONNECTIONS {
            open.pop_front();
        }
        if number % 100 == 99 {
            sleep(Duration::from_millis(50)).await;
        }
        yield_now().await;
    }
}

const HALF: &str = "GET /metrics HTTP/1.1\r\nhost: node\r\n";

async fn request(from: u8, to: u16, text: &str) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // What does not fit stays in the provider.
    socket.set_recv_buffer_size(1)?;
    socket.bind(SocketAddr::from(([127, 0, 0, from], 0)))?;
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to))).await?;
    stream.write_all(text.as_bytes()).await?;
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
        for source in PROBE_SOURCES.into_iter().cycle() {
            let begin = Instant::now();
            let answer = timeout(PROBE_TIMEOUT, healthz(source, ports.health)).await;
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
async fn healthz(from: Ipv4Addr, port: u16) -> io::Result<bool> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let mut stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

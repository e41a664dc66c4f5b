//! Measures the emulator alone, to show that its cost does not dominate the table.

use std::{
    fmt,
    time::{Duration, Instant},
};

use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::{
    Failure,
    azure::{Azure, VAULT, client_id, secret_name},
    load::{Connection, Load},
    scenarios::ROUND_TRIPS,
};

/// The cost of the emulator itself.
pub(crate) struct Check {
    requests_per_second: f64,
    request: Duration,
    distant: Duration,
    handshake: Duration,
    resumption: Duration,
    token: Duration,
    /// By round-trip time: how much longer a request on an open connection takes.
    beyond: Vec<(Duration, Duration)>,
}

impl Check {
    pub(crate) async fn take(azure: &Azure) -> Result<Self, Failure> {
        let request = read(azure);
        let load = Load::new(azure, true)?;
        let mut connections = try_join_all((0..CONNECTIONS).map(|_| load.connect())).await?;
        rounds(&mut connections, &request, REQUESTS / 10).await?;

        let (cpu, begin) = (azure.cpu()?, Instant::now());
        rounds(&mut connections, &request, REQUESTS).await?;
        let (cpu, took) = (azure.cpu()? - cpu, begin.elapsed());
        let total = REQUESTS * CONNECTIONS;
        let (beyond, per_request) = (beyond(azure, &load, &request).await?, cpu / total);

        azure.latency().set_round_trip(ROUND_TRIPS[2]);
        let cpu = azure.cpu()?;
        rounds(&mut connections, &request, REQUESTS / 10).await?;
        let distant = (azure.cpu()? - cpu) / (total / 10);
        azure.latency().clear();

        let resumption = handshakes(azure, true, &request).await?.saturating_sub(per_request);
        let handshake = handshakes(azure, false, &request).await?.saturating_sub(per_request);
        let begin = Instant::now();
        for _ in 0..TOKENS {
            token(azure);
        }
        Ok(Self {
            requests_per_second: f64::from(total) / took.as_secs_f64(),
            request: per_request,
            distant,
            handshake,
            resumption,
            token: begin.elapsed() / TOKENS,
            beyond,
        })
    }

    pub(crate) fn json(&self) -> Value {
        let beyond: serde_json::Map<_, _> = self
            .beyond
            .iter()
            .map(|(round_trip, beyond)| (round_trip.as_millis().to_string(), json!(milliseconds(*beyond))))
            .collect();
        json!({
            "requests_per_second": self.requests_per_second,
            "cpu_ms": {
                "request": milliseconds(self.request),
                "request_10_ms_away": milliseconds(self.distant),
                "handshake": milliseconds(self.handshake),
                "resumption": milliseconds(self.resumption),
                "token": milliseconds(self.token),
            },
            "ms_beyond_the_round_trip": beyond,
        })
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "The emulator alone, asked by a plain client: {:.0} requests/s; CPU {:.3} ms a request, {:.3} ms at a round trip of 10 ms, {:.2} ms a TLS \
             handshake, {:.2} ms a resumed one, {:.2} ms a token.",
            self.requests_per_second,
            milliseconds(self.request),
            milliseconds(self.distant),
            milliseconds(self.handshake),
            milliseconds(self.resumption),
            milliseconds(self.token),
        )?;
        let beyond: Vec<_> = self
            .beyond
            .iter()
            .map(|(round_trip, beyond)| format!("{:.2} at {}", milliseconds(*beyond), round_trip.as_millis()))
            .collect();
        writeln!(
            f,
            "One request on an open connection takes its round trip and, in ms: {}.",
            beyond.join(", ")
        )
    }
}

/// Sends this many requests on each connection, on all connections at once.
async fn rounds(connections: &mut [Connection], request: &[u8], requests: u32) -> Result<(), Failure> {
    try_join_all(connections.iter_mut().map(async |connection| {
        for _ in 0..requests {
            connection.ask(request).await?;
        }
        Ok::<_, std::io::Error>(())
    }))
    .await?;
    Ok(())
}

/// Returns the emulator's CPU time for a new connection with one request.
async fn handshakes(azure: &Azure, resumed: bool, request: &[u8]) -> Result<Duration, Failure> {
    let load = Load::new(azure, resumed)?;
    load.connect().await?.ask(request).await?;
    let cpu = azure.cpu()?;
    for _ in 0..HANDSHAKES {
        let mut connection = load.connect().await?;
        if connection.is_resumed() != resumed {
            return Err("the emulator does not resume sessions as it should".into());
        }
        connection.ask(request).await?;
    }
    Ok((azure.cpu()? - cpu) / HANDSHAKES)
}

/// Returns, for each round-trip time, the median of the additional time of one request.
async fn beyond(
    azure: &Azure,
    load: &Load<'_>,
    request: &[u8],
) -> Result<Vec<(Duration, Duration)>, Failure> {
    let mut connection = load.connect().await?;
    let mut beyond = Vec::new();
    for round_trip in ROUND_TRIPS {
        azure.latency().set_round_trip(round_trip);
        let mut times = Vec::new();
        for _ in 0..SINGLE {
            tokio::time::sleep(PAUSE).await;
            let begin = Instant::now();
            connection.ask(request).await?;
            times.push(begin.elapsed().saturating_sub(round_trip));
        }
        times.sort();
        beyond.push((round_trip, times[times.len() / 2]));
    }
    azure.latency().clear();
    Ok(beyond)
}

/// Returns a read of a secret, with a valid token.
fn read(azure: &Azure) -> Vec<u8> {
    let token = token(azure);
    format!(
        "GET /secrets/{}?api-version=7.6 HTTP/1.1\r\nhost: {VAULT}.vault.azure.net\r\nauthorization: Bearer {token}\r\n\r\n",
        secret_name(0),
    )
    .into_bytes()
}

fn token(azure: &Azure) -> String {
    azure.access_token(&client_id(0), "https://vault.azure.net", Duration::from_secs(3600))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const CONNECTIONS: u32 = 16;
/// On each connection.
const REQUESTS: u32 = 1000;
const HANDSHAKES: u32 = 200;
const TOKENS: u32 = 50;
/// Longer than a processor takes to enter its sleep state, so that each figure includes waking up.
const PAUSE: Duration = Duration::from_millis(5);
const SINGLE: usize = 51;

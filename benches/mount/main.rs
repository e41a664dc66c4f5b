//! What a mount costs: `cargo bench`.
//!
//! Starts the real binary as a process of its own, leads it to an emulated Azure in this process, and prints one table:
//! times, requests that Azure saw, CPU time and memory. The round trip is played by the emulator: each request takes one,
//! each new connection two more. Figures are medians; they hold for the machine that they were taken on, so compare those
//! of one run.

mod process;
mod table;

use std::{
    error::Error,
    time::{Duration, Instant},
};

use akv_emulator::{Emulator, VaultContent};
use akv_provider::proto::{MountRequest, csi_driver_provider_client::CsiDriverProviderClient};
use serde_json::json;
use tonic::transport::{Channel, Endpoint};

use self::{process::Process, table::Table};

/// How often a figure is taken.
const RUNS: usize = 15;

type Client = CsiDriverProviderClient<Channel>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let azure = Emulator::builder().start().await?;
    azure.vaults().replace_vault("lab", VaultContent::default());
    for object in 0..50 {
        azure.vaults().put_secret("lab", &format!("secret-{object}"), &format!("value of secret {object}"));
    }
    let mut table = Table::default();
    starts(&azure, &mut table).await?;
    for round_trip in [0, 10] {
        let round_trip = Duration::from_millis(round_trip);
        azure.latency().set(round_trip);
        azure.latency().set_accept(round_trip * 2);
        mounts(&azure, round_trip, &mut table).await?;
    }
    azure.latency().set(Duration::from_millis(10));
    azure.latency().set_accept(Duration::from_millis(20));
    burst(&azure, &mut table).await?;
    print!("{table}");
    Ok(())
}

/// From nothing to the first answer.
async fn starts(azure: &Emulator, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let begin = Instant::now();
        let provider = Process::start(azure)?;
        version(&provider).await?;
        times.push(begin.elapsed());
    }
    table.time("start to first answer", &mut times);
    Ok(())
}

/// One mount at a time.
async fn mounts(azure: &Emulator, round_trip: Duration, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let at = format!("at {} ms round trip", round_trip.as_millis());
    let mut cold = Vec::new();
    for _ in 0..RUNS {
        let provider = Process::start(azure)?;
        let mut client = version(&provider).await?;
        let begin = Instant::now();
        client.mount(request(azure, "cold", 20)).await?;
        cold.push(begin.elapsed());
    }
    table.time(&format!("first mount of a process, 20 objects, {at}"), &mut cold);

    let provider = Process::start(azure)?;
    let mut client = version(&provider).await?;
    client.mount(request(azure, "warm-up", 50)).await?;
    table.memory(&format!("resident after one mount, {at}"), provider.resident()?);
    for objects in [1, 5, 20, 50] {
        let mut new = Vec::new();
        let mut again = Vec::new();
        let (mut new_requests, mut again_requests) = (0, 0);
        let cpu = provider.cpu()?;
        for run in 0..RUNS {
            let request = request(azure, &format!("pod-{objects}-{run}"), objects);
            for (times, requests) in [(&mut new, &mut new_requests), (&mut again, &mut again_requests)] {
                azure.journal().clear();
                let begin = Instant::now();
                client.mount(request.clone()).await?;
                times.push(begin.elapsed());
                *requests = azure.journal().total();
            }
        }
        let cpu = (provider.cpu()? - cpu) / u32::try_from(2 * RUNS)?;
        table.time_and_requests(&format!("new pod, {objects} objects, {at}"), &mut new, new_requests);
        table.time_and_requests(
            &format!("its token seen before, {objects} objects, {at}"),
            &mut again,
            again_requests,
        );
        table.cpu(&format!("CPU for one mount, {objects} objects, {at}"), cpu);
    }
    Ok(())
}

/// A node that fills up: each pod with a token of its own, and all at once.
async fn burst(azure: &Emulator, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let provider = Process::start(azure)?;
    let client = version(&provider).await?;
    let requests: Vec<_> = (0..50).map(|pod| request(azure, &format!("burst-{pod}"), 20)).collect();
    azure.journal().clear();
    let begin = Instant::now();
    let mounts: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let mut client = client.clone();
            tokio::spawn(async move { client.mount(request).await.map(drop) })
        })
        .collect();
    for mount in mounts {
        mount.await??;
    }
    let mut times = vec![begin.elapsed()];
    let what = "50 pods with 20 objects at once, at 10 ms round trip";
    table.time_and_requests(what, &mut times, azure.journal().total());
    table.memory("peak of that burst", provider.peak()?);
    Ok(())
}

async fn version(provider: &Process) -> Result<Client, Box<dyn Error>> {
    let endpoint = Endpoint::try_from(format!("unix://{}", provider.socket().display()))?;
    loop {
        if let Ok(channel) = endpoint.connect().await {
            let mut client = Client::new(channel);
            client.version(akv_provider::proto::VersionRequest { version: "v1alpha1".to_owned() }).await?;
            return Ok(client);
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

/// A mount as workload identity. Each call makes a new token.
fn request(azure: &Emulator, pod: &str, objects: usize) -> MountRequest {
    let list: Vec<_> = (0..objects)
        .map(|object| json!({"objectName": format!("secret-{object}"), "objectType": "secret"}))
        .collect();
    let hour = Duration::from_secs(3600);
    let token = azure.service_account_token("default", "app", "api://AzureADTokenExchange", hour);
    let attributes = json!({
        "csi.storage.k8s.io/pod.name": pod,
        "csi.storage.k8s.io/pod.namespace": "default",
        "csi.storage.k8s.io/serviceAccount.tokens":
            json!({"api://AzureADTokenExchange": {"token": token}}).to_string(),
        "clientID": "cccccccc-0000-0000-0000-000000000002",
        "keyvaultName": "lab",
        "tenantID": "11111111-2222-3333-4444-555555555555",
        "objects": json!(list).to_string(),
    });
    MountRequest {
        attributes: attributes.to_string(),
        secrets: "null".to_owned(),
        target_path: format!("/var/lib/kubelet/pods/{pod}/mount"),
        permission: "420".to_owned(),
        current_object_version: Vec::new(),
    }
}

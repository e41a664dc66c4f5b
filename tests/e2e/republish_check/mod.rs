//! Republishes that list the vault instead of reading each object (`--republish-check=list`).

mod changes;
mod cost;
mod refusals;

use std::time::Duration;

use akv_emulator::Route;
use akv_provider::transport::Transports;

use crate::harness::{Azure, Driver, MountCall, Mounted, Provider};

/// An Azure, a provider that checks by lists, and a volume that it has served.
struct Fixture {
    azure: Azure,
    provider: Provider,
    driver: Driver,
    volume: MountCall,
}

/// What a round cost: pages of lists, and reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    lists: usize,
    reads: usize,
}

const fn cost(lists: usize, reads: usize) -> Cost {
    Cost { lists, reads }
}

/// The flags of a provider whose values are never too young for a check: each republish is a round.
const EACH_TIME: [&str; 2] = ["--republish-check=list", "--republish-max-age=0"];

/// The flags of a provider whose values and lists are used for a minute.
const EACH_MINUTE: [&str; 1] = ["--republish-check=list"];

impl Fixture {
    /// Mounts a volume of the first `objects` of `secrets` secrets, long after these were written.
    async fn start(secrets: usize, objects: usize, flags: &[&str]) -> Self {
        let (azure, _) = Azure::with_numbered_secrets(secrets).await;
        let transports = azure.transports();
        Self::start_over(azure, transports, objects, flags).await
    }

    async fn start_over(azure: Azure, transports: Transports, objects: usize, flags: &[&str]) -> Self {
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let provider = Provider::start_over_with(&azure, transports, &flags);
        let volume = secrets(&azure, 0..objects);
        Self::mounted(azure, provider, volume).await
    }

    /// Mounts a volume long after its objects were written.
    async fn mounted(azure: Azure, provider: Provider, volume: MountCall) -> Self {
        azure.clock().advance(Duration::from_secs(60));
        let driver = provider.driver();
        driver.mount(&volume).await.unwrap();
        azure.journal().clear();
        Self { azure, provider, driver, volume }
    }

    /// Republishes the volume a minute later by the vault's clock, and returns its files and their cost.
    async fn round(&self) -> (Mounted, Cost) {
        self.azure.clock().advance(Duration::from_secs(60));
        self.republish(&self.volume).await
    }

    async fn republish(&self, volume: &MountCall) -> (Mounted, Cost) {
        self.azure.journal().clear();
        let mounted = self.driver.mount(volume).await.unwrap();
        (mounted, self.cost())
    }

    /// Plays a round that costs a list and one read, and returns the name of the object that was read.
    async fn quiet_round(&self) -> String {
        let (_, spent) = self.round().await;
        assert_eq!(spent, cost(1, 1), "{:?}", self.azure.journal().lines());
        let read = self.azure.journal().filter(&reads()).remove(0).head.path;
        read.split('/').nth(2).unwrap().to_owned()
    }

    /// Returns what the vault was asked since the journal was cleared.
    fn cost(&self) -> Cost {
        cost(self.azure.journal().count(&lists()), self.azure.journal().count(&reads()))
    }

    fn put(&self, name: &str, value: &str) -> String {
        self.azure.vaults().put_secret("lab", name, value)
    }
}

/// Returns a volume of these secrets in a new pod.
fn secrets(azure: &Azure, numbers: std::ops::Range<usize>) -> MountCall {
    let names: Vec<_> = numbers.map(|number| format!("secret-{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    MountCall::of_secrets(azure, &names).of_another_pod()
}

/// Matches a page of a list of objects, of any type.
fn lists() -> Route {
    Route::vault("lab").credentials(true).matching(|head| head.path.trim_matches('/').split('/').count() == 1)
}

/// Matches a read of an object, of any type.
fn reads() -> Route {
    Route::vault("lab").credentials(true).matching(|head| head.path.trim_matches('/').split('/').count() > 1)
}

/// Moves the provider's clock forward.
async fn play(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

//! The scenarios that every provider runs.

mod burst;
mod cold;
mod cpu;
mod hanging;
mod memory;
mod mounts;
mod outputs;
mod proofs;
mod start;
mod throttled;

use std::{fs, time::Duration};

use crate::{
    Failure,
    azure::Azure,
    driver::Driver,
    figure::{Figure, Unit},
    pods::Pod,
    process::{Process, Provider},
};

/// The round-trip times of single mounts.
pub(crate) const ROUND_TRIPS: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(2), USUAL, Duration::from_millis(50)];
/// The round-trip time of all other scenarios.
const USUAL: Duration = Duration::from_millis(10);
/// Objects of a typical volume.
const VOLUME: usize = 20;
/// The time limit of one provider for one scenario.
const TIMEOUTS: Duration = Duration::from_secs(180);

/// A scenario, which runs in a process of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scenario {
    Binary,
    Start,
    Memory,
    Cold { round_trip: Duration },
    Mounts { round_trip: Duration },
    Outputs,
    Burst { pods: usize, principals: usize },
    Proofs,
    Throttled,
    Hanging,
    Cpu,
}

/// The emulator and the provider of a scenario.
pub(crate) struct Stage<'a> {
    pub(crate) azure: &'a Azure,
    pub(crate) provider: &'a Provider,
    pub(crate) quick: bool,
}

impl Scenario {
    pub(crate) fn all(quick: bool) -> Vec<Self> {
        let distances = || ROUND_TRIPS.into_iter().filter(move |&round_trip| !quick || round_trip == USUAL);
        let mut all = vec![Self::Binary, Self::Start, Self::Memory];
        all.extend(distances().map(|round_trip| Self::Cold { round_trip }));
        all.extend(distances().map(|round_trip| Self::Mounts { round_trip }));
        all.push(Self::Outputs);
        for pods in [50, 500] {
            all.extend([1, 50].map(|principals| Self::Burst { pods, principals }));
        }
        all.extend([Self::Proofs, Self::Throttled, Self::Hanging, Self::Cpu]);
        all
    }

    /// Returns the name that filters of the command line match.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Binary => "binary".to_owned(),
            Self::Start => "start".to_owned(),
            Self::Memory => "memory".to_owned(),
            Self::Cold { round_trip } => format!("cold-{}ms", round_trip.as_millis()),
            Self::Mounts { round_trip } => format!("mounts-{}ms", round_trip.as_millis()),
            Self::Outputs => "outputs".to_owned(),
            Self::Burst { pods, principals } => format!("burst-{pods}-pods-{principals}-identities"),
            Self::Proofs => "proofs".to_owned(),
            Self::Throttled => "throttled".to_owned(),
            Self::Hanging => "hanging".to_owned(),
            Self::Cpu => "cpu".to_owned(),
        }
    }

    /// Returns the figures of one provider, or an error if it fails or exceeds the time limit.
    pub(crate) async fn run(&self, stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
        match tokio::time::timeout(TIMEOUTS, self.play(stage)).await {
            Ok(figures) => figures,
            Err(_) => Err(format!("not done after {} s", TIMEOUTS.as_secs()).into()),
        }
    }

    /// Brings the emulator and the machine to the state in which the later providers find them. The first bursts after
    /// a pause take up to half longer than those that follow, whichever binary they measure.
    pub(crate) async fn warm_up(&self, stage: &Stage<'_>) {
        if matches!(self, Self::Burst { .. } | Self::Proofs) {
            let quick = Stage { quick: true, ..*stage };
            // A failure shows in the run that counts.
            let _ = Self::Burst { pods: 50, principals: 50 }.run(&quick).await;
        }
    }

    async fn play(&self, stage: &Stage<'_>) -> Result<Vec<Figure>, Failure> {
        let azure = stage.azure;
        azure.limits().clear();
        azure.latency().set_round_trip(match self {
            Self::Cold { round_trip } | Self::Mounts { round_trip } => *round_trip,
            _ => USUAL,
        });
        match self {
            Self::Binary => {
                let mut size = Figure::new("binary", Unit::Mebibytes);
                size.bytes(fs::metadata(&stage.provider.binary)?.len());
                Ok(vec![size])
            }
            Self::Start => start::run(stage).await,
            Self::Memory => memory::run(stage).await,
            Self::Cold { round_trip } => cold::run(stage, *round_trip).await,
            Self::Mounts { round_trip } => mounts::run(stage, *round_trip).await,
            Self::Outputs => outputs::run(stage).await,
            Self::Burst { pods, principals } => burst::run(stage, *pods, *principals).await,
            Self::Proofs => proofs::run(stage).await,
            Self::Throttled => throttled::run(stage).await,
            Self::Hanging => hanging::run(stage).await,
            Self::Cpu => cpu::run(stage).await,
        }
    }
}

impl Stage<'_> {
    /// Starts a process and waits for its first answer.
    async fn started(&self) -> Result<(Process, Driver), Failure> {
        let mut process = Process::start(self.provider, self.azure)?;
        let driver = Driver::connect(&mut process).await?;
        Ok((process, driver))
    }

    /// Starts a process that has mounted a typical volume.
    async fn prewarm(&self) -> Result<(Process, Driver), Failure> {
        let (process, mut driver) = self.started().await?;
        driver.mount(Pod::new(self.azure, 0).request(VOLUME), VOLUME).await?;
        Ok((process, driver))
    }

    /// Returns the number of runs: fewer at a long round trip, where runs take longer and vary less.
    fn runs(&self, round_trip: Duration) -> usize {
        match (self.quick, round_trip > USUAL) {
            (true, _) | (false, true) => 5,
            (false, false) => 11,
        }
    }
}

fn at(round_trip: Duration) -> String {
    format!("{} ms away", round_trip.as_millis())
}

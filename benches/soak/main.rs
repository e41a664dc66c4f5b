//! An hour of a node's life: `cargo bench --bench soak`, or `just soak --minutes 5`.
//!
//! Two providers, processes of the release binary, mount from an emulated Azure. One fault follows the other, and
//! secrets are rotated meanwhile. The first provider runs all the time, so that a leak would show. The second one is
//! stopped or killed every minute. Each answer is compared with the vault's values at that time, and each failure with
//! the active faults. A failure without a fault, a stale value or a leak fails the soak.

mod fault_schedule;
mod long_run;
mod record;
mod work;

#[path = "../mount/azure.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod azure;
#[path = "../mount/cpu_time.rs"]
mod cpu_time;
#[path = "../mount/driver.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod driver;
#[path = "../mount/pods.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod pods;
#[path = "../mount/process.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod process;

use std::{
    cell::RefCell,
    error::Error,
    io::{self, Write},
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use self::{
    azure::Azure,
    driver::Driver,
    fault_schedule::FaultSchedule,
    long_run::{LongRun, progress},
    process::{Process, Provider},
    record::{Leaks, Record, Sample},
};

/// Why the soak cannot continue.
type Failure = Box<dyn Error + Send + Sync>;

/// The provider's timeouts follow from the time limit of a mount, and 90 s would be too long for a soak.
const FLAGS: [&str; 2] = ["--mount-timeout=15s", "--republish-max-age=10s"];

/// Concurrent mounts.
const WORKERS: usize = 8;

/// A little longer than an idle connection is kept: it is closed between one and two minutes after its last use.
const QUIET: Duration = Duration::from_secs(130);

/// More pods than a provider caches credentials for.
const KEPT: usize = 1_200;

const ROWS: u32 = 12;

/// The interval between two samples of the memory.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let usage = "the only argument is --minutes N";
    LongRun { name: "soak", usage, default_minutes: 60.0, minutes: 0.1..=10_000.0 }
        .run(std::env::args().skip(1), soak)
}

/// Returns whether the soak passed.
async fn soak(azure: Rc<Azure>, length: Duration) -> Result<bool, Failure> {
    let ours = ("akv-provider".to_owned(), env!("CARGO_BIN_EXE_akv-provider").into());
    let provider = process::side_by_side(vec![ours], azure.directory_of_files()).remove(0);
    let mut lasting = start(&provider, &azure)?;
    let mut restarted = start(&provider, &azure)?;
    let drivers =
        Rc::new(RefCell::new([Driver::connect(&mut lasting).await?, Driver::connect(&mut restarted).await?]));
    let record = Rc::new(RefCell::new(Record::default()));
    let faults = Rc::new(FaultSchedule::new(azure.clone()));

    // The baseline for leaks: caches are filled, and every code path has run once.
    progress("warming up");
    for number in 0..KEPT {
        let pod = pods::Pod::new(&azure, number % azure::PRINCIPALS);
        let mut driver = drivers.borrow()[0].clone();
        driver.mount(pod.request(1), 1).await?;
    }
    let first = run(&azure, &faults, &drivers, &record);
    sleep(fault_schedule::ROUND).await;
    faults.stop();
    finish(first).await;
    sleep(QUIET).await;
    let before = Sample::take(Duration::ZERO, &lasting, &record.borrow())?;

    progress(&format!("{:.1} minutes", length.as_secs_f64() / 60.0));
    let begin = Instant::now();
    faults.start();
    let work = run(&azure, &faults, &drivers, &record);
    let (mut samples, mut restarts) = (Vec::new(), 0_u32);
    let mut next_restart = MINUTE;
    let mut memory = Vec::new();
    for row in 1..=ROWS {
        let until = length * row / ROWS;
        while begin.elapsed() < until {
            sleep(SAMPLE_INTERVAL).await;
            memory.push((begin.elapsed(), lasting.resident()?));
            if begin.elapsed() >= next_restart {
                next_restart += MINUTE;
                restarts += 1;
                faults.restarting();
                if restarts.is_multiple_of(2) {
                    stop(&mut restarted).await?;
                } else {
                    drop(restarted);
                }
                restarted = start(&provider, &azure)?;
                drivers.borrow_mut()[1] = Driver::connect(&mut restarted).await?;
            }
        }
        samples.push(Sample::take(begin.elapsed(), &lasting, &record.borrow())?);
        progress(&format!("{row} of {ROWS}"));
    }
    faults.stop();
    finish(work).await;
    progress("quiet");
    sleep(QUIET).await;
    let after = Sample::take(begin.elapsed(), &lasting, &record.borrow())?;
    let record = record.borrow();
    let leaks = Leaks::of(&memory, &before, &after);
    let mut out = io::stdout().lock();
    write!(out, "{}", record::Report { record: &record, restarts, before, samples: &samples, after, leaks })?;
    Ok(record.is_sound() && !leaks.any())
}

const MINUTE: Duration = Duration::from_secs(60);

/// Stops the process as kubelet does, and waits until mounts in flight have finished.
async fn stop(process: &mut Process) -> io::Result<()> {
    std::process::Command::new("kill").args(["-TERM", &process.id().to_string()]).status()?;
    while process.ended()?.is_none() {
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn start(provider: &Provider, azure: &Azure) -> io::Result<Process> {
    Process::start_with(provider, azure, &FLAGS)
}

type Drivers = Rc<RefCell<[Driver; 2]>>;

fn run(
    azure: &Rc<Azure>,
    faults: &Rc<FaultSchedule>,
    drivers: &Drivers,
    record: &Rc<RefCell<Record>>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let workers = (0..WORKERS).map(|number| {
        let worker =
            work::Worker::new(number, azure.clone(), faults.clone(), drivers.clone(), record.clone());
        tokio::task::spawn_local(worker.run())
    });
    let faults = faults.clone();
    let mut tasks: Vec<_> = workers.collect();
    tasks.push(tokio::task::spawn_local(async move { faults.change().await }));
    tasks
}

async fn finish(tasks: Vec<tokio::task::JoinHandle<()>>) {
    for task in tasks {
        // The task itself reports a panic.
        let _ = task.await;
    }
}

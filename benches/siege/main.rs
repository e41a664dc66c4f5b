//! A node under siege: `cargo bench --bench siege`, or with `-- --minutes 0.5 --attack=LongClasses`.
//!
//! The release binary serves ten honest pods, while one pod author fills whatever a pod author can fill, all at once: see
//! [`attack`]. The table has the memory at its peak, the descriptors, how long the honest pods waited, and how many
//! probes were missed.

mod attack;
mod honest;
mod ports;
mod request;
mod usage;

#[path = "../mount/azure.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod azure;
#[path = "../mount/cpu_time.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod cpu_time;
#[path = "../mount/driver.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod driver;
#[path = "../soak/long_run.rs"]
mod long_run;
#[path = "../mount/pods.rs"]
#[allow(dead_code, reason = "the soak needs more of it")]
mod pods;
#[path = "../mount/process.rs"]
#[allow(dead_code, reason = "the benchmark needs more of it")]
mod process;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
    rc::Rc,
    time::Duration,
};

use tokio::time::sleep;

use self::{
    attack::Attack,
    azure::Azure,
    driver::Driver,
    honest::HonestPods,
    long_run::{LongRun, progress},
    ports::Probes,
    process::Process,
    usage::Usage,
};

/// Why the siege cannot continue.
type Failure = Box<dyn Error + Send + Sync>;

/// How long the honest pods mount alone before and after the siege.
const PEACE: Duration = Duration::from_secs(10);

/// How long an idle connection is kept, and a little more: it is closed between one and two minutes after its last use.
const QUIET: Duration = Duration::from_secs(130);

fn main() -> ExitCode {
    let (names, others): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--attack="));
    let is_chosen = |attack: &Attack| names.iter().any(|name| name.ends_with(&format!("={attack:?}")));
    let attacks: Vec<Attack> = match names.is_empty() {
        true => Attack::TOGETHER.to_vec(),
        false => Attack::all().filter(is_chosen).collect(),
    };
    let usage =
        "the arguments are --minutes N, and --attack=NAME for each attack, such as --attack=LongClasses";
    LongRun { name: "siege", usage, default_minutes: 2.0, minutes: 0.05..=1_000.0 }
        .run(others.into_iter(), |azure, length| siege(azure, length, attacks))
}

/// Returns `true`: the table is for a reader to judge.
async fn siege(azure: Rc<Azure>, length: Duration, attacks: Vec<Attack>) -> Result<bool, Failure> {
    if attacks.is_empty() {
        return Err(format!("no such attack; there are {:?}", Attack::all().collect::<Vec<_>>()).into());
    }
    progress("preparing");
    let ours = ("akv-provider".to_owned(), env!("CARGO_BIN_EXE_akv-provider").into());
    let provider = process::side_by_side(vec![ours], azure.directory_of_files()).remove(0);
    attack::prepare(&azure);
    let ports = ports::free()?;
    let flags = ports.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut process = Process::start_with(&provider, &azure, &flags)?;
    let driver = Driver::connect(&mut process).await?;
    let (honest, probes, usage) = (HonestPods::default(), Probes::default(), Usage::default());
    let background = [
        tokio::task::spawn_local(probes.clone().ask(ports)),
        tokio::task::spawn_local(usage.clone().watch(process.id())),
    ];

    progress("peace");
    let pods = honest.mount(&azure, &driver);
    sleep(PEACE).await;
    attack::become_known(&azure, &driver).await?;
    let peace = (honest.take(), usage.take(&process)?);

    progress(&format!("{:.1} minutes of siege", length.as_secs_f64() / 60.0));
    attack::hang(&azure);
    let attacks: Vec<_> = attacks
        .iter()
        .map(|attack| tokio::task::spawn_local(attack.run(azure.clone(), driver.clone(), ports)))
        .collect();
    let (mut waited, step) = (Duration::ZERO, length / 12);
    while waited < length {
        sleep(step).await;
        waited += step;
        if let Some(status) = process.ended()? {
            return Err(format!("the provider ended: {status}").into());
        }
        progress(&format!("{} s: {}", waited.as_secs(), usage.now(&process)?));
    }
    let siege = (honest.take(), usage.take(&process)?);
    attacks.iter().for_each(tokio::task::JoinHandle::abort);
    azure.faults().clear();

    progress("after it");
    sleep(QUIET.saturating_sub(PEACE)).await;
    honest.take();
    sleep(PEACE).await;
    let after = (honest.take(), usage.take(&process)?);
    pods.iter().chain(&background).for_each(tokio::task::JoinHandle::abort);

    let mut out = io::stdout().lock();
    writeln!(out, "| | before | under siege | after |\n| --- | ---: | ---: | ---: |")?;
    let columns = [&peace, &siege, &after];
    let row = |out: &mut io::StdoutLock<'_>, name: &str, cells: [String; 3]| {
        writeln!(out, "| {name} | {} |", cells.join(" | "))
    };
    row(&mut out, "memory, MiB at the peak", columns.map(|(_, usage)| usage.peak()))?;
    row(&mut out, "memory, MiB at the end", columns.map(|(_, usage)| usage.resident()))?;
    row(&mut out, "descriptors at the peak", columns.map(|(_, usage)| usage.descriptors.to_string()))?;
    row(&mut out, "honest mounts", columns.map(|(times, _)| times.count().to_string()))?;
    row(&mut out, "honest mounts that failed", columns.map(|(times, _)| times.failed.to_string()))?;
    row(&mut out, "honest mount, median, ms", columns.map(|(times, _)| times.percentile(50)))?;
    row(&mut out, "honest mount, 99 of 100, ms", columns.map(|(times, _)| times.percentile(99)))?;
    row(&mut out, "longest honest mount, ms", columns.map(|(times, _)| times.percentile(100)))?;
    writeln!(out, "\nprobes: {}", probes.summary())?;
    for failure in &siege.0.failures {
        writeln!(out, "an honest mount failed: {failure}")?;
    }
    Ok(true)
}

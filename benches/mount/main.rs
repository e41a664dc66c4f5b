//! Measures the cost of a mount: `cargo bench`.
//!
//! The benchmark starts the release binary as a process of its own, and an emulated Azure in this process. It prints
//! one table: times, requests that Azure received, CPU time and memory. Other providers' binaries, given with `--peer`,
//! do the same work. docs/benchmark.md describes each row. Figures are medians and depend on the machine, so compare
//! only figures of the same run.

mod arguments;
mod azure;
mod cpu_time;
mod driver;
mod emulator_baseline;
mod figure;
mod load;
mod pods;
mod process;
mod report;
mod scenarios;
mod table;

use std::{
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

use self::{
    arguments::{Arguments, Command},
    azure::Azure,
    emulator_baseline::Check,
    process::Provider,
    report::{Report, Row},
    scenarios::{Scenario, Stage},
};

/// Why a figure could not be measured.
type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    let outcome = match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Help) => write!(io::stdout(), "{}", arguments::USAGE).map_err(Failure::from),
        Ok(Command::List) => list(),
        Ok(Command::Run(arguments)) => run(&arguments),
        Err(error) => {
            say(&format!("{error}\n\n{}", arguments::USAGE));
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the benchmark failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn list() -> Result<(), Failure> {
    Scenario::all(false).iter().try_for_each(|scenario| Ok(writeln!(io::stdout(), "{}", scenario.name())?))
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let scenarios: Vec<_> = Scenario::all(arguments.quick)
        .into_iter()
        .filter(|scenario| arguments.picks(&scenario.name()))
        // No other provider has this scenario's files.
        .filter(|scenario| arguments.peers.is_empty() || !matches!(scenario, Scenario::Outputs))
        .collect();
    if scenarios.is_empty() {
        return Err("no scenario has that name; --list prints them".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let azure = Azure::start()?;
    let check = runtime.block_on(Check::take(&azure))?;
    let mut report = Report { check, providers: providers(arguments, &azure), rows: Vec::new() };
    for scenario in scenarios {
        if let Some(provider) = report.providers.first() {
            let stage = Stage { azure: &azure, provider, quick: arguments.quick };
            runtime.block_on(scenario.warm_up(&stage));
        }
        let mut results = Vec::new();
        // The providers take turns in each scenario, so that other load of the machine affects all of them.
        for provider in &report.providers {
            say(&format!("{}: {}", scenario.name(), provider.name));
            let stage = Stage { azure: &azure, provider, quick: arguments.quick };
            results.push(runtime.block_on(scenario.run(&stage)).map_err(|failure| failure.to_string()));
        }
        report.rows.extend(Row::of(&scenario, results));
    }
    report.save(&arguments.json)?;
    let mut out = io::stdout().lock();
    write!(out, "\n{}\n{}", report.check, table::Table(&report))?;
    writeln!(out, "\nJSON: {}", arguments.json.display())?;
    match report.missing() {
        0 => Ok(()),
        missing => Err(format!("{missing} figures are missing; the table says why").into()),
    }
}

fn providers(arguments: &Arguments, azure: &Azure) -> Vec<Provider> {
    let ours = (arguments::OURS.to_owned(), env!("CARGO_BIN_EXE_akv-provider").into());
    let binaries = std::iter::once(ours).chain(arguments.peers.iter().cloned());
    process::side_by_side(binaries.collect(), azure.directory_of_files())
}

/// Writes progress to standard error; only the table goes to standard output.
fn say(text: &str) {
    // If standard error is closed, nothing is left to try.
    let _ = writeln!(io::stderr(), "{text}");
}

//! The acceptance run: installs the driver, the emulator, provider-azure and the provider in the cluster of the
//! kubeconfig, checks what users rely on, and prints a table.
//!
//! It needs `kubectl`, `helm` and `openssl`. docs/cluster.md says what each step asserts.

mod command;
mod environment;
mod error;
mod helm;
mod kubectl;
mod objects;
mod options;
mod pod_stream;
mod report;
mod steps;
mod wait;

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use self::{environment::Environment, options::Command, report::Report};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // If standard error is closed too, nothing is left to try.
            let _ = writeln!(io::stderr(), "cluster-acceptance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let options = match Command::parse(env::args().skip(1))? {
        Command::Help => {
            io::stdout().write_all(options::help().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Run(options) => *options,
    };
    let environment = Environment::new(options)?;
    let mut report = Report::to(io::stderr());
    steps::run(&environment, &mut report);
    if !environment.options.keep {
        steps::remove(&environment);
    }
    io::stdout().write_all(report.table().as_bytes())?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

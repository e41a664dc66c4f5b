//! A benchmark of minutes on one thread: its command line, the emulated Azure, and its exit code.

use std::{
    io::{self, Write},
    ops::RangeInclusive,
    process::ExitCode,
    rc::Rc,
    time::Duration,
};

use tokio::task::LocalSet;

use crate::{Failure, azure::Azure};

/// A benchmark that takes as long as the command line says.
pub(crate) struct LongRun {
    pub(crate) name: &'static str,
    /// The arguments that it takes, in a sentence.
    pub(crate) usage: &'static str,
    pub(crate) default_minutes: f64,
    pub(crate) minutes: RangeInclusive<f64>,
}

impl LongRun {
    /// Runs the benchmark, and returns the exit code: 0 if it passed, 1 if it did not, 2 if it could not continue.
    pub(crate) fn run<B, F>(&self, arguments: impl Iterator<Item = String>, bench: B) -> ExitCode
    where
        B: FnOnce(Rc<Azure>, Duration) -> F,
        F: Future<Output = Result<bool, Failure>>,
    {
        let outcome = self.parse(arguments).and_then(|minutes| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let azure = Rc::new(Azure::start()?);
            let length = Duration::from_secs_f64(minutes * 60.0);
            // The emulator's runtime ends outside of this one.
            runtime.block_on(LocalSet::new().run_until(bench(azure.clone(), length)))
        });
        match outcome {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                progress(&format!("the {} cannot continue: {error}", self.name));
                ExitCode::from(2)
            }
        }
    }

    fn parse(&self, arguments: impl Iterator<Item = String>) -> Result<f64, Failure> {
        // Cargo passes this to every benchmark.
        let mut arguments = arguments.filter(|argument| argument != "--bench");
        let text = match (arguments.next(), arguments.next()) {
            (None, None) => return Ok(self.default_minutes),
            (Some(flag), Some(value)) if flag == "--minutes" => value,
            (Some(argument), None) if argument.starts_with("--minutes=") => {
                argument.trim_start_matches("--minutes=").to_owned()
            }
            _ => return Err(self.usage.into()),
        };
        let minutes = text.parse().ok().filter(|minutes| self.minutes.contains(minutes));
        minutes.ok_or_else(|| "--minutes takes a number".into())
    }
}

/// Writes progress to standard error; only the table goes to standard output.
pub(crate) fn progress(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

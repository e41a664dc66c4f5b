//! A stand-in for the driver that calls a provider.

use std::{
    collections::HashSet,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use akv_provider::proto::{MountRequest, MountResponse};

use crate::{
    Failure,
    azure::{Azure, secret_value},
    process::Process,
};

#[derive(Clone)]
pub(crate) struct Driver(test_support::Driver);

impl Driver {
    /// Waits for the process's socket, and for its first answer.
    pub(crate) async fn connect(process: &mut Process) -> Result<Self, Failure> {
        let begin = Instant::now();
        // A plain connection attempt costs less than a gRPC call, and can be repeated faster than tokio's timers allow.
        while UnixStream::connect(process.socket()).is_err() {
            if let Some(status) = process.ended()? {
                return Err(format!("the process ended before it answered: {status}").into());
            }
            if begin.elapsed() > TIMEOUTS {
                return Err(format!("no socket after {} s", TIMEOUTS.as_secs()).into());
            }
            thread::sleep(Duration::from_micros(100));
        }
        let driver = test_support::Driver::on(&process.socket())?;
        driver.version().await?;
        Ok(Self(driver))
    }

    /// Mounts, and compares the answer with the vault's values.
    pub(crate) async fn mount(&mut self, request: MountRequest, objects: usize) -> Result<(), Failure> {
        check(&self.call(request).await?, objects)
    }

    /// Returns how long one mount took, and how many requests Azure received.
    pub(crate) async fn timed(
        &mut self,
        azure: &Azure,
        request: MountRequest,
        objects: usize,
    ) -> Result<(Duration, u64), Failure> {
        azure.journal().clear();
        let begin = Instant::now();
        let answer = self.call(request).await?;
        let figures = (begin.elapsed(), azure.journal().total());
        check(&answer, objects)?;
        Ok(figures)
    }

    /// Mounts without checking the answer, so that the check is not part of the measured time.
    pub(crate) async fn call(&mut self, request: MountRequest) -> Result<MountResponse, Failure> {
        let answer = self.0.call(request).await;
        Ok(answer.map_err(|status| format!("{:?}: {}", status.code(), status.message()))?)
    }
}

/// Compares an answer with the vault's values.
pub(crate) fn check(answer: &MountResponse, objects: usize) -> Result<(), Failure> {
    if let Some(error) = answer.error.as_ref().filter(|error| !error.code.is_empty()) {
        return Err(format!("the answer has the error {}", error.code).into());
    }
    let files: HashSet<&[u8]> = answer.files.iter().map(|file| file.contents.as_slice()).collect();
    let right = (0..objects).filter(|&object| files.contains(secret_value(object).as_bytes())).count();
    if answer.files.len() != objects || right != objects {
        return Err(format!("{objects} files were to come, {right} right ones came").into());
    }
    Ok(())
}

const TIMEOUTS: Duration = Duration::from_secs(10);

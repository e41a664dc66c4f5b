//! The provider as a process of its own, and what the kernel says of it.

use std::{
    fs, io,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use akv_emulator::Emulator;
use tempfile::TempDir;

pub(crate) struct Process {
    dir: TempDir,
    child: Child,
}

impl Process {
    /// The release binary, led to the emulator by its environment.
    pub(crate) fn start(azure: &Emulator) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("ca.pem"), azure.ca_pem())?;
        let child = Command::new(env!("CARGO_BIN_EXE_akv-provider"))
            .arg(format!("--endpoint=unix://{}", dir.path().join("azure.sock").display()))
            .args(["--healthz-port=0", "--prometheus-port=0"])
            .env("HTTPS_PROXY", azure.proxy_url())
            .env("SSL_CERT_FILE", dir.path().join("ca.pem"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { dir, child })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("azure.sock")
    }

    /// Memory in use now, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// The most memory that was ever in use, in bytes.
    pub(crate) fn peak(&self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    /// CPU time of user and system together, in the kernel's ticks of 10 ms.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name in parentheses: utime and stime are the 12th and 13th.
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
        let ticks: u64 =
            fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }

    fn status(&self, field: &str) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("the kernel tells no memory"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

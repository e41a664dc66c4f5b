//! A provider as a process of its own, and its resource use.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{azure::Azure, cpu_time};

/// A measured binary.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) binary: PathBuf,
    /// The copy that is started: [`side_by_side`].
    pub(crate) copy: PathBuf,
}

/// Copies all binaries to one directory: a binary's resident size depends on its file system.
pub(crate) fn side_by_side(binaries: Vec<(String, PathBuf)>, directory: &Path) -> Vec<Provider> {
    let numbered = binaries.into_iter().enumerate();
    let copied = numbered.map(|(number, (name, binary))| {
        let copy = directory.join(format!("provider-{number}"));
        match fs::copy(&binary, &copy) {
            Ok(_) => Provider { name, binary, copy },
            // Its start will fail with the reason.
            Err(_) => Provider { name, copy: binary.clone(), binary },
        }
    });
    copied.collect()
}

pub(crate) struct Process {
    dir: TempDir,
    child: Child,
}

impl Process {
    /// Starts the binary. Its environment leads it to the emulator, and its flags are those that every Azure provider
    /// has.
    pub(crate) fn start(provider: &Provider, azure: &Azure) -> io::Result<Self> {
        Self::start_with(provider, azure, &[])
    }

    /// Starts the binary with additional flags.
    pub(crate) fn start_with(provider: &Provider, azure: &Azure, flags: &[&str]) -> io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let [health, metrics] = free_ports()?;
        let child = Command::new(&provider.copy)
            .arg(format!("--endpoint=unix://{}", dir.path().join("azure.sock").display()))
            .arg(format!("--healthz-port={health}"))
            .arg(format!("--prometheus-port={metrics}"))
            .args(flags)
            // Other variables, such as a proxy's exceptions, would affect the work.
            .env_clear()
            .env("HTTPS_PROXY", azure.proxy_url())
            .env("SSL_CERT_FILE", azure.ca_file())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::other(format!("start {}: {error}", provider.binary.display())))?;
        Ok(Self { dir, child })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("azure.sock")
    }

    /// Returns the exit status, once the process has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Returns the memory in use now, in bytes.
    pub(crate) fn resident(&self) -> io::Result<u64> {
        self.status("VmRSS:")
    }

    /// Returns the peak of the memory in use, in bytes.
    pub(crate) fn peak(&self) -> io::Result<u64> {
        self.status("VmHWM:")
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the CPU time so far, user and system.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        cpu_time::cpu(&self.id().to_string(), |_| true)
    }

    fn status(&self, field: &str) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("the kernel reports no memory"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_ports() -> io::Result<[u16; 2]> {
    // Both ports are taken before either is released, so that they differ.
    let (one, other) =
        (TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}

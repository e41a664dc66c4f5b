//! The emulated Azure, on its own threads.

use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use akv_emulator::{Application, Directory, Emulator, RoleAssignment, VaultContent};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{Failure, cpu_time};

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const VAULT: &str = "lab";
/// Secrets in the vault, and so the size of the largest mount.
pub(crate) const OBJECTS: usize = 50;
/// Applications that are federated to the pods' service account.
pub(crate) const PRINCIPALS: usize = 50;

pub(crate) struct Azure {
    emulator: Emulator,
    files: TempDir,
    pods: AtomicU64,
    // Declared last, because the emulator ends its tasks when it is dropped.
    _runtime: Runtime,
}

impl Azure {
    pub(crate) fn start() -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().thread_name(THREADS).enable_all().build()?;
        let mut directory = Directory::empty(TENANT);
        for principal in 0..PRINCIPALS {
            let client_id = client_id(principal);
            directory.applications.push(
                Application::new(&client_id)
                    .federated_to("default", "app")
                    .federated_to("default", &account(principal)),
            );
            directory.roles.push(RoleAssignment::administrator(&client_id));
        }
        let emulator = runtime.block_on(Emulator::builder().directory(directory).start())?;
        emulator.vaults().replace_vault(VAULT, VaultContent::default());
        for object in 0..OBJECTS {
            emulator.vaults().put_secret(VAULT, &secret_name(object), &secret_value(object));
        }
        let files = tempfile::tempdir()?;
        fs::write(files.path().join("ca.pem"), emulator.ca_pem())?;
        Ok(Self { emulator, files, pods: AtomicU64::new(0), _runtime: runtime })
    }

    /// Returns the file with the emulator's CA certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    /// Returns a directory that is removed when the benchmark ends.
    pub(crate) fn directory_of_files(&self) -> &Path {
        self.files.path()
    }

    /// Returns a number that no other pod of this run has.
    pub(crate) fn pod_number(&self) -> u64 {
        self.pods.fetch_add(1, Ordering::Relaxed)
    }

    /// Returns the CPU time that the emulator itself has used.
    pub(crate) fn cpu(&self) -> std::io::Result<Duration> {
        cpu_time::cpu("self", |thread| thread == THREADS)
    }
}

impl Deref for Azure {
    type Target = Emulator;

    fn deref(&self) -> &Emulator {
        &self.emulator
    }
}

pub(crate) fn client_id(principal: usize) -> String {
    format!("cccccccc-0000-4000-8000-{principal:012}")
}

/// Returns the service account that only this principal is federated to, beside the one of all principals.
pub(crate) fn account(principal: usize) -> String {
    format!("app-{principal}")
}

pub(crate) fn secret_name(object: usize) -> String {
    format!("secret-{object}")
}

pub(crate) fn secret_value(object: usize) -> String {
    format!("value of secret {object}")
}

const THREADS: &str = "azure";

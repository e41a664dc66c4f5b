//! Azure's SDK for Python.

use std::{
    env, ffi::OsString, os::unix::ffi::OsStringExt as _, path::PathBuf, process::Command, sync::LazyLock,
};

use crate::harness::{Client, folder, skip, tools};

/// Returns the client, if an interpreter has the packages of `python/requirements.txt`: that of `AZURE_PYTHON`, the one
/// that `.ci/run` installs, or the machine's.
pub(crate) fn client() -> Option<&'static Client> {
    static CLIENT: LazyLock<Option<Client>> = LazyLock::new(|| {
        let interpreters = [
            env::var_os("AZURE_PYTHON").map(PathBuf::from),
            Some(tools().join("azure-python/bin/python")),
            Some("python3".into()),
        ];
        let found = interpreters.into_iter().flatten().find_map(with_packages);
        if found.is_none() {
            skip("python", "no python3 has the packages of emulator/tests/clients/python/requirements.txt");
        }
        // Isolated: no variables or packages of the user, and no bytecode cache beside the script.
        let arguments = ["-I".into(), "-B".into(), folder("python").join("reads.py").into()];
        Some(Client { program: found?, arguments: arguments.into(), user_agent: "azsdk-python-" })
    });
    CLIENT.as_ref()
}

/// Returns the interpreter's own path if it has the packages: the name in `PATH` may be a script that needs variables.
fn with_packages(interpreter: PathBuf) -> Option<PathBuf> {
    let script = "import sys, azure.identity, azure.keyvault.certificates, azure.keyvault.keys, \
                  azure.keyvault.secrets; print(sys.executable, end='')";
    let output = Command::new(interpreter).args(["-I", "-B", "-c", script]).output().ok()?;
    output.status.success().then(|| OsString::from_vec(output.stdout).into())
}

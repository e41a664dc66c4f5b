//! Azure's SDK for Go.

use std::{io, path::PathBuf, process::Command, sync::LazyLock};

use crate::harness::{Client, folder, skip};

/// Returns the client, if Go and the modules of `go/go.mod` are installed. The client is built each time; a test
/// downloads nothing.
pub(crate) fn client() -> Option<&'static Client> {
    static CLIENT: LazyLock<Option<Client>> = LazyLock::new(|| {
        if let Err(reason) = go(&["list", "-deps", "."]) {
            skip("go", &reason);
            return None;
        }
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("azure-go-client");
        go(&["build", "-o", &program.to_string_lossy(), "."]).expect("the client builds");
        Some(Client { program, arguments: Vec::new(), user_agent: "azsdk-go-" })
    });
    CLIENT.as_ref()
}

/// Runs `go` in the client's folder without a network.
///
/// # Errors
/// The output of `go`, or why it could not be run.
fn go(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("go")
        .args(arguments)
        .current_dir(folder("go"))
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0")
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(format!("go {} in emulator/tests/clients/go: {}", arguments[0], complaint.trim()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("no go in PATH".to_owned()),
        Err(error) => Err(format!("go: {error}")),
    }
}

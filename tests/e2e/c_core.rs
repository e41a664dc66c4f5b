//! gRPC's C core, on which clients in Python, C++ and Ruby are built, over the Unix socket.
//!
//! From 1.57 on it sends the socket's path, percent-encoded, as `:authority`, unless the client sets another one. h2
//! rejects such an authority and has no setting for it (<https://github.com/hyperium/h2/pull/487>,
//! <https://github.com/grpc/grpc/issues/38142>). The driver is a Go program and sends `localhost`.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use tokio::process::Command;

use crate::harness::{Azure, Provider};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/c_core");

/// Returns an interpreter with the packages of `c_core/requirements.txt`: the one that `.ci/run` installs, or the
/// machine's.
async fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/grpc-python/bin/python");
    for interpreter in [own, "python3".into()] {
        let mut import = Command::new(&interpreter);
        import.args(["-I", "-B", "-c", "import grpc"]);
        if import.output().await.is_ok_and(|output| output.status.success()) {
            return Some(interpreter);
        }
    }
    println!("skipped: no python3 has the packages of tests/e2e/c_core/requirements.txt");
    None
}

/// Returns the output of a Version call with these arguments behind the socket.
async fn version(python: &Path, arguments: &[&str]) -> String {
    let azure = Azure::with_secrets(&[]).await;
    let provider = Provider::start(&azure);
    let mut call = Command::new(python);
    call.args(["-I", "-B"]).arg(Path::new(FOLDER).join("version.py")).arg(provider.socket()).args(arguments);
    let output = call.output().await.expect("the interpreter runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn a_python_client_that_sets_an_authority_is_answered() {
    let Some(python) = python().await else { return };
    let said = version(&python, &["localhost"]).await;
    // The encoded version of the protocol and name of the provider.
    let [version, name] = ["v1alpha1", "akv-provider"].map(|text| HEXLOWER.encode(text.as_bytes()));
    assert!(said.starts_with("answer ") && said.contains(&version) && said.contains(&name), "{said}");
}

/// If such a call gets an answer one day, docs/troubleshooting.md and docs/migration.md no longer need their notes.
#[tokio::test]
async fn a_python_client_with_the_sockets_path_as_its_authority_is_refused_by_h2() {
    let Some(python) = python().await else { return };
    let said = version(&python, &[]).await;
    assert!(said.contains("RST_STREAM") && !said.starts_with("answer"), "{said}");
}

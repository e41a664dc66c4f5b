//! The tools, as processes.

mod compare;
mod explain;
mod schema;
mod scripts;
mod try_faults;
mod try_mount;
mod validate;

use std::{
    path::Path,
    process::{Output, Stdio},
};

use tokio::{io::AsyncWriteExt, process::Command};

use crate::harness::Azure;

/// Runs the binary with these arguments, as an operator would without a proxy or an Azure.
async fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(arguments).env_clear().stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap()
}

/// Runs the binary with this text on its standard input, as behind a pipe.
async fn run_reading(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

/// Runs the binary with the way to an emulated Azure in its environment. `dir` is for the emulator's CA.
async fn run_with(azure: &Azure, dir: &Path, arguments: &[&str]) -> Output {
    let ca = dir.join("ca.pem");
    std::fs::write(&ca, azure.ca_pem()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(arguments).env_clear().env("SSL_CERT_FILE", ca).env("HTTPS_PROXY", azure.proxy_url());
    command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap()
}

/// Runs the binary while nobody reads its standard output, as in front of a `head` that has seen enough.
async fn run_unread(arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_akv-provider"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped());
    command.kill_on_drop(true).spawn().unwrap().wait_with_output().await.unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Writes a class of vault `lab` for these secrets, and the token of service account `default/app`. Returns their paths.
fn class_and_token(azure: &Azure, dir: &Path, secrets: &[&str]) -> (String, String) {
    let entries: String = secrets
        .iter()
        .map(|name| format!("        - |\n          objectName: {name}\n          objectType: secret\n"))
        .collect();
    let class = format!(
        "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata:\n  name: web\nspec:\n  provider: azure\n  \
         parameters:\n    keyvaultName: lab\n    tenantID: 11111111-2222-3333-4444-555555555555\n    \
         clientID: cccccccc-0000-0000-0000-000000000002\n    objects: |\n      array:\n{entries}"
    );
    let tokens: serde_json::Value =
        serde_json::from_str(&azure.service_account_tokens("default", "app")).unwrap();
    let token = tokens["api://AzureADTokenExchange"]["token"].as_str().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    (write("class.yaml", &class), write("token", &format!("{token}\n")))
}

//! A network of a test's own, in which the node's services have their real addresses.

use std::process::Stdio;

use tokio::process::Command;

const INSIDE: &str = "AKV_TEST_IN_NETWORK_NAMESPACE";
const NETWORK: &str = "ip link set lo up && ip addr add 169.254.169.254/32 dev lo";

/// Returns whether this process is in a network namespace with loopback and IMDS's address alone. If it is not, this
/// runs test `name` again inside such a namespace, and asserts that it passes. Without root, unshare and ip it prints
/// that the test is skipped.
pub(crate) async fn in_network_namespace(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", script]).stdin(Stdio::null()).kill_on_drop(true);
        command
    };
    match namespace(NETWORK).output().await {
        Ok(output) if output.status.success() => {}
        _ => {
            println!("skipped: needs root, unshare and ip, to make a network namespace");
            return false;
        }
    }
    let script = format!("{NETWORK} && exec \"$0\" --exact {name} --nocapture");
    let test = std::env::current_exe().unwrap();
    let output = namespace(&script).arg(test).env(INSIDE, "1").output().await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}{errors}");
    false
}

//! A provider that replaces another one on the same socket.

use std::{
    fs,
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::Path,
    time::Duration,
};

use akv_emulator::{Fault, Route, Service};
use tokio::process::{Child, Command};
use tonic::Code;

use crate::{
    harness::{Azure, Driver, MountCall},
    process::{self, Process},
};

#[tokio::test]
async fn a_provider_mounts_after_its_predecessor_was_killed() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let proxy = azure.proxy_url();
    let Process { dir, mut child } = Process::start(&azure, &[("HTTPS_PROXY", &proxy)]).await;
    let socket = dir.path().join("azure.sock");
    let (driver, call) = (Driver::new(socket.clone()), MountCall::of_secrets(&azure, &["db-password"]));
    driver.mount(&call).await.unwrap();

    child.kill().await.unwrap();
    assert!(socket.exists(), "a killed provider cannot remove it");
    assert!(UnixStream::connect(&socket).is_err(), "no provider listens");
    driver.call(call.request()).await.expect_err("its driver finds none");

    let mut child = process::command(dir.path(), &azure).env("HTTPS_PROXY", &proxy).spawn().unwrap();
    process::listens(&mut child, &socket).await;
    driver.mount(&call).await.expect("the same driver reconnects");
}

/// A rolling update with both pods on the node.
#[tokio::test]
async fn the_later_of_two_providers_keeps_the_socket_when_the_earlier_stops() {
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let proxy = azure.proxy_url();
    let Process { dir, child: earlier } = Process::start(&azure, &[("HTTPS_PROXY", &proxy)]).await;
    let socket = dir.path().join("azure.sock");
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let of_earlier = Driver::new(socket.clone());
    of_earlier.mount(&call).await.unwrap();
    let inode = inode(&socket);

    let later = start_later(dir.path(), &azure, inode).await;
    of_earlier.mount(&call).await.expect("a connection to the earlier one goes on");

    terminate(&earlier).await;
    process::log(&earlier.wait_with_output().await.unwrap());
    assert!(socket.exists(), "the earlier provider removed the later one's socket");
    // The driver's client sends a request again that it gave to a connection which had just ended. tonic's reports one
    // such request as canceled.
    if let Err(status) = of_earlier.call(call.request()).await {
        assert_eq!(status.code(), Code::Cancelled, "{status}");
    }
    of_earlier.mount(&call).await.expect("its driver finds the later one");
    process::log(&Process { dir, child: later }.signal("-TERM").await);
}

/// A rolling update, where the earlier provider still has a mount to finish when the later one takes the socket over.
#[tokio::test]
async fn a_driver_reaches_the_later_provider_while_the_earlier_finishes_its_mounts() {
    let azure = Azure::with_secrets(&[("db-password", "x"), ("slow", "y")]).await;
    let proxy = azure.proxy_url();
    let Process { dir, child: earlier } = Process::start(&azure, &[("HTTPS_PROXY", &proxy)]).await;
    let socket = dir.path().join("azure.sock");
    let call = MountCall::of_secrets(&azure, &["db-password"]);
    let of_earlier = Driver::new(socket.clone());
    of_earlier.mount(&call).await.unwrap();
    let slow = Route::service(Service::Vault).path_prefix("/secrets/slow");
    azure.faults().inject_times(1, slow.clone(), Fault::Hang);
    let (driver, running) = (of_earlier.clone(), MountCall::of_secrets(&azure, &["slow"]));
    let mount = tokio::spawn(async move { driver.mount(&running).await });
    azure.journal().wait_for_route(1, &slow).await;

    terminate(&earlier).await;
    while of_earlier.mount(&call).await.is_ok() {}
    let inode = inode(&socket);
    let later = start_later(dir.path(), &azure, inode).await;
    // The earlier provider refuses once more, sees the later one, and closes the connection.
    while of_earlier.call(call.request()).await.is_err() {}
    assert!(!mount.is_finished(), "the earlier provider still has a mount");
    assert_eq!(mount.await.unwrap().unwrap().text("slow"), "y");
    process::log(&earlier.wait_with_output().await.unwrap());
    assert!(socket.exists(), "the earlier provider removed the later one's socket");
    process::log(&Process { dir, child: later }.signal("-TERM").await);
}

/// Starts a provider in the directory of an earlier one, and waits until its socket has replaced the one with `inode`.
async fn start_later(directory: &Path, azure: &Azure, inode: u64) -> Child {
    let mut later = process::command(directory, azure).env("HTTPS_PROXY", azure.proxy_url()).spawn().unwrap();
    let socket = directory.join("azure.sock");
    while self::inode(&socket) == inode {
        assert!(later.try_wait().unwrap().is_none(), "the later provider gave up");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    process::listens(&mut later, &socket).await;
    later
}

async fn terminate(provider: &Child) {
    let pid = provider.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
}

/// Returns the socket's inode; zero while there is no socket.
fn inode(socket: &Path) -> u64 {
    fs::metadata(socket).map_or(0, |metadata| metadata.ino())
}

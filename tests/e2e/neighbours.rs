//! Other users and processes on the node: users at the socket, and processes that try to read the provider's memory.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

use rustix::{
    process::{Uid, geteuid},
    thread::set_thread_uid,
};

use crate::{
    harness::{Azure, MountCall},
    process::{self, Process},
};

/// A user that is neither root nor the user of the tests.
const STRANGER: u32 = 54_321;

/// Runs an action as another user: in a thread of this process that gives up root for itself alone.
fn as_stranger<T: Send>(action: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                set_thread_uid(Uid::from_raw(STRANGER)).expect("root may become any user");
                action()
            })
            .join()
            .expect("the thread ends well")
    })
}

/// Only root can become another user. A skipped test is reported directly to standard error, since the test harness
/// hides the output of tests that pass.
fn is_root(test: &str) -> bool {
    let root = geteuid().is_root();
    if !root {
        let _ = writeln!(io::stderr(), "skipped: {test} needs root, to become another user");
    }
    root
}

fn open_up(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn another_user_is_rejected_at_a_socket_with_open_permissions() {
    if !is_root("another_user_is_rejected_at_a_socket_with_open_permissions") {
        return;
    }
    let azure = Azure::with_secrets(&[("db-password", "x")]).await;
    let process = Process::start(&azure, &[("HTTPS_PROXY", &azure.proxy_url())]).await;
    let socket = process.socket();
    open_up(process.dir.path(), 0o755);
    let connect = || as_stranger(|| UnixStream::connect(&socket));
    assert_eq!(connect().unwrap_err().kind(), io::ErrorKind::PermissionDenied, "the mode is the first guard");

    open_up(&socket, 0o666);
    for _ in 0..3 {
        let mut connection = connect().unwrap();
        // An accepted connection gets an answer to HTTP/2's preface; a rejected one is closed.
        let _ = connection.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
        let heard = connection.read(&mut [0]);
        assert!(matches!(heard, Ok(0) | Err(_)), "another user got an answer");
    }
    process.driver().mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();

    let log = process::log(&process.signal("-TERM").await);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains(&format!("uid={STRANGER}")), "{}", lines[0]);
}

#[tokio::test]
async fn a_crash_writes_no_core_dump() {
    let azure = Azure::with_secrets(&[]).await;
    let process = Process::start(&azure, &[]).await;
    let limits = fs::read_to_string(proc(&process, "limits")).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(cores.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{cores}");
}

/// A process that may be dumped belongs to its user, and each process of that user may read it: proc(5).
#[tokio::test]
async fn another_process_of_the_same_user_cannot_read_the_memory() {
    if !is_root("another_process_of_the_same_user_cannot_read_the_memory") {
        return;
    }
    let azure = Azure::with_secrets(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    open_up(dir.path(), 0o777);
    // A copy, since other users may not have access to the build folder.
    let binary = dir.path().join("akv-provider");
    // By another process: a file that this one writes cannot run while a child of another test still has it open.
    let copied =
        std::process::Command::new("cp").arg(env!("CARGO_BIN_EXE_akv-provider")).arg(&binary).status();
    assert!(copied.unwrap().success());
    let stock = process::command(dir.path(), &azure);
    let mut command = tokio::process::Command::new(&binary);
    command.args(stock.as_std().get_args()).env_clear().uid(STRANGER).gid(STRANGER).kill_on_drop(true);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    process::listens(&mut child, &dir.path().join("azure.sock")).await;
    let process = Process { dir, child };

    assert_eq!(fs::metadata(proc(&process, "mem")).unwrap().uid(), 0, "it belongs to its user");
    for file in ["mem", "environ", "maps"] {
        let path = proc(&process, file);
        assert!(
            as_stranger(|| File::open(&path).and_then(|mut file| file.read(&mut [0]))).is_err(),
            "{file}"
        );
    }
    let own = proc_of(std::process::id(), "status");
    assert!(as_stranger(|| File::open(own)).is_ok(), "other files of /proc can be read");
    process::log(&process.signal("-TERM").await);
}

fn proc(process: &Process, file: &str) -> PathBuf {
    proc_of(process.child.id().expect("the provider runs"), file)
}

fn proc_of(pid: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{file}"))
}

//! The listening socket. A stale socket is removed; the new one is its owner's alone from the moment it exists.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::{TcpListener, UnixListener};

use super::endpoint::Endpoint;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// A listening socket: callers can already connect.
#[derive(Debug)]
pub struct Listener {
    incoming: Incoming,
    file: Option<SocketFile>,
}

/// A listener of either kind.
#[derive(Debug)]
pub(super) enum Incoming {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// An error of a socket that cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen on {endpoint}")]
    Listen {
        /// The address, as configured.
        endpoint: Endpoint,
        /// The error of the system call.
        source: io::Error,
    },
    /// A file that is not a socket is in the way. It is not removed.
    #[error("cannot listen on {endpoint}: the path exists and is not a socket")]
    Occupied {
        /// The address, as configured.
        endpoint: Endpoint,
    },
}

impl Listener {
    /// Listens on `endpoint`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The endpoint cannot be bound.
    pub fn bind(endpoint: &Endpoint) -> Result<Self, BindError> {
        let listen = |source| BindError::Listen { endpoint: endpoint.clone(), source };
        match endpoint {
            Endpoint::Tcp(address) => {
                let std = std::net::TcpListener::bind(address.as_str()).map_err(listen)?;
                std.set_nonblocking(true).map_err(listen)?;
                let tcp = TcpListener::from_std(std).map_err(listen)?;
                Ok(Self { incoming: Incoming::Tcp(tcp), file: None })
            }
            Endpoint::Unix(path) => {
                if !remove_stale(path).map_err(listen)? {
                    return Err(BindError::Occupied { endpoint: endpoint.clone() });
                }
                let unix = bind_private(path).map_err(listen)?;
                let file = SocketFile::of(path.clone()).map_err(listen)?;
                Ok(Self { incoming: Incoming::Unix(unix), file: Some(file) })
            }
        }
    }

    pub(super) fn into_incoming(self) -> (Incoming, Option<SocketFile>) {
        (self.incoming, self.file)
    }
}

/// Removes a stale socket. Returns false if the path is something other than a socket.
///
/// A provider that still listens there loses its socket too: in a rolling update the successor takes over, and the
/// driver reconnects to it.
fn remove_stale(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path).map(|()| true),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Binds a socket whose file only its owner can connect to.
///
/// The mode is set on the socket before it has a name, since Linux gives the file the socket inode's own mode. So the
/// file is at no moment open to others, and the umask of the whole process stays as it is (unix(7): "the permissions
/// of the socket file").
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let nameless = File::from(OwnedFd::from(socket));
    nameless.set_permissions(Permissions::from_mode(0o600))?;
    let socket = Socket::from(OwnedFd::from(nameless));
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

/// A guard that removes the socket's file when it is dropped, unless a successor has put its own there.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl SocketFile {
    fn of(path: PathBuf) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(&path)?;
        Ok(Self { path, inode: (metadata.dev(), metadata.ino()) })
    }
    /// Returns whether the file is still this process's: a successor replaces it, and an operator may remove it.
    pub(super) fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.inode)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_ours()
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(dir: &tempfile::TempDir) -> (PathBuf, Endpoint) {
        let path = dir.path().join("azure.sock");
        (path.clone(), Endpoint::Unix(path))
    }

    #[tokio::test]
    async fn the_socket_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, endpoint) = endpoint(&dir);
        let listener = Listener::bind(&endpoint).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (path, endpoint) = endpoint(&dir);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "dropping a std listener leaves its file");
        let _listener = Listener::bind(&endpoint).unwrap();
        std::os::unix::net::UnixStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn a_successors_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (path, endpoint) = endpoint(&dir);
        let old = Listener::bind(&endpoint).unwrap();
        let _new = Listener::bind(&endpoint).unwrap();
        drop(old);
        std::os::unix::net::UnixStream::connect(&path).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, endpoint) = endpoint(&dir);
        fs::write(&path, "precious").unwrap();
        let error = Listener::bind(&endpoint).unwrap_err();
        assert!(matches!(error, BindError::Occupied { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(matches!(Listener::bind(&endpoint), Err(BindError::Occupied { .. })));
    }

    #[tokio::test]
    async fn a_missing_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("missing/azure.sock");
        let error = Listener::bind(&Endpoint::Unix(path.clone())).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (path, endpoint) = endpoint(&dir);
        fs::set_permissions(dir.path(), Permissions::from_mode(0o555)).unwrap();
        let runtime = tokio::runtime::Handle::current();
        let bound = std::thread::scope(|scope| {
            let bind = scope.spawn(|| {
                // Root may write anywhere, so this thread drops its root privileges.
                if rustix::process::geteuid().is_root() {
                    rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(54_321)).unwrap();
                }
                let _runtime = runtime.enter();
                Listener::bind(&endpoint)
            });
            bind.join().unwrap()
        });
        let error = bound.unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        let BindError::Listen { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::PermissionDenied);
    }

    #[tokio::test]
    async fn a_directory_may_be_a_symlink() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        let path = dir.path().join("link/azure.sock");
        let listener = Listener::bind(&Endpoint::Unix(path.clone())).unwrap();
        std::os::unix::net::UnixStream::connect(dir.path().join("real/azure.sock")).unwrap();
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_for_a_socket_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a".repeat(120));
        let error = Listener::bind(&Endpoint::Unix(path.clone())).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}

//! The image, started by runc with a read-only root. `just image` builds the archive and runs this test with
//! `AKV_IMAGE`. The test needs root, runc, skopeo and umoci.

use std::{
    env, fs,
    io::{self, Write as _},
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{
    harness::{Azure, Driver, MountCall},
    process::listens,
};

/// Returns the archive to test, if there is one.
fn archive() -> Option<PathBuf> {
    let archive = env::var_os("AKV_IMAGE").map(PathBuf::from);
    if archive.is_none() {
        let _ = writeln!(
            io::stderr(),
            "skipped: AKV_IMAGE names no archive of the image; `just image` builds one"
        );
    }
    archive
}

/// An image that is unpacked for runc.
struct Bundle {
    directory: tempfile::TempDir,
}

impl Bundle {
    fn unpack(archive: &Path) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bundle = Self { directory };
        let layout = bundle.path("layout").display().to_string();
        let from = format!("oci-archive:{}", archive.display());
        succeed(Command::new("skopeo").args(["copy", "--quiet", &from, &format!("oci:{layout}:image")]));
        let to = bundle.path("bundle");
        succeed(Command::new("umoci").args(["unpack", "--image", &format!("{layout}:image")]).arg(to));
        bundle
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Returns the command that starts the container with these flags, in the network of the test and with a directory
    /// for the socket.
    fn container(&self, name: &str, flags: &[&str], environment: &[String]) -> Command {
        let file = self.path("bundle/config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(config["process"]["args"], json!(["/bin/akv-provider"]), "the entrypoint");
        assert_eq!(config["process"]["user"]["uid"], 65532);
        config["root"]["readonly"] = json!(true);
        config["process"]["terminal"] = json!(false);
        config["process"]["noNewPrivileges"] = json!(true);
        config["process"]["capabilities"] = json!({});
        config["process"]["args"].as_array_mut().unwrap().extend(flags.iter().map(|flag| json!(flag)));
        config["process"]["env"].as_array_mut().unwrap().extend(environment.iter().map(|it| json!(it)));
        config["linux"]["namespaces"].as_array_mut().unwrap().retain(|it| it["type"] != "network");
        let shared = json!({
            "destination": "/shared", "type": "bind", "source": self.path("shared"), "options": ["bind", "rw"],
        });
        config["mounts"].as_array_mut().unwrap().push(shared);
        fs::create_dir_all(self.path("shared")).unwrap();
        chown(self.path("shared"), Some(65532), Some(65532)).unwrap();
        fs::write(file, config.to_string()).unwrap();
        let mut command = self.runc();
        command.args(["run", "--bundle"]).arg(self.path("bundle")).arg(name);
        command
    }

    fn runc(&self) -> Command {
        let mut command = Command::new("runc");
        command.arg("--root").arg(self.path("state")).stdin(Stdio::null());
        command
    }
}

impl Drop for Bundle {
    /// Ends a container that a failed test has left.
    fn drop(&mut self) {
        for container in ["version", "mount"] {
            let _ = self.runc().args(["delete", "--force", container]).stderr(Stdio::null()).status();
        }
    }
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn image_shows_its_version() {
    let Some(archive) = archive() else { return };
    let bundle = Bundle::unpack(&archive);
    let output = succeed(&mut bundle.container("version", &["--version"], &[]));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
}

#[tokio::test]
async fn image_mounts_through_its_socket_with_a_read_only_root() {
    let Some(archive) = archive() else { return };
    let azure = Azure::with_secrets(&[("db-password", "pa55w0rd")]).await;
    let bundle = Bundle::unpack(&archive);
    let flags = ["--endpoint=unix:///shared/azure.sock", "--healthz-port=0", "--prometheus-port=0"];
    let environment =
        [format!("HTTPS_PROXY={}", azure.proxy_url()), "SSL_CERT_FILE=/shared/ca.pem".to_owned()];
    let mut command = tokio::process::Command::from(bundle.container("mount", &flags, &environment));
    fs::write(bundle.path("shared/ca.pem"), azure.ca_pem()).unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let socket = bundle.path("shared/azure.sock");
    listens(&mut child, &socket).await;

    let mounted = Driver::new(socket).mount(&MountCall::of_secrets(&azure, &["db-password"])).await.unwrap();
    assert_eq!(mounted.text("db-password"), "pa55w0rd");

    succeed(bundle.runc().args(["kill", "mount", "TERM"]));
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

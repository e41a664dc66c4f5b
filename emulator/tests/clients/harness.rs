//! An emulator with a vault, and child processes that read it.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use akv_emulator::{
    Emulator, ObjectKind, ObjectVersion,
    fixtures::{BundleFormat, CertificateFixture, ChainOrder, KeyKind},
};
use serde_json::{Map, Value};
use tempfile::TempDir;

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const WORKLOAD: &str = "cccccccc-0000-0000-0000-000000000002";
pub(crate) const SERVICE_PRINCIPAL: &str = "dddddddd-0000-0000-0000-000000000003";
pub(crate) const USER_ASSIGNED: &str = "bbbbbbbb-0000-0000-0000-000000000001";
pub(crate) const UNKNOWN: &str = "12345678-0000-0000-0000-000000000000";
pub(crate) const VAULT: &str = "https://lab.vault.azure.net";
pub(crate) const CURRENT_VERSION: &str = "c81e728d9d4c2f636f067f89cc14862c";
pub(crate) const OLD_VERSION: &str = "c4ca4238a0b923820dcc509a6f75849b";

/// A program that reads the vault with an SDK.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// A part of the `User-Agent` of its requests to a vault.
    pub(crate) user_agent: &'static str,
}

/// A way to get a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Credential {
    ClientSecret,
    WorkloadIdentity,
    ManagedIdentity,
}

impl Credential {
    /// Returns the identity that has this kind of credential.
    pub(crate) fn client_id(self) -> &'static str {
        match self {
            Self::ClientSecret => SERVICE_PRINCIPAL,
            Self::WorkloadIdentity => WORKLOAD,
            Self::ManagedIdentity => USER_ASSIGNED,
        }
    }

    /// Returns the name that the clients use.
    fn name(self) -> &'static str {
        match self {
            Self::ClientSecret => "client-secret",
            Self::WorkloadIdentity => "workload-identity",
            Self::ManagedIdentity => "managed-identity",
        }
    }
}

/// An emulator with the vault `lab`.
pub(crate) struct Lab {
    pub(crate) azure: Emulator,
    pub(crate) web: CertificateFixture,
    /// The version of the certificate, its key and its secret.
    pub(crate) web_version: String,
    files: TempDir,
}

impl Lab {
    pub(crate) async fn start() -> Self {
        let azure = Emulator::builder().start().await.expect("loopback has free ports");
        let web = CertificateFixture::generate("web.example", KeyKind::Rsa2048).expect("it can be made");
        let vaults = azure.vaults();
        let put = |name: &str, version: &str, created: i64, body: Value, enabled: bool| {
            let Value::Object(body) = body else { unreachable!("bodies are objects") };
            let version = ObjectVersion { enabled, ..ObjectVersion::new(version, created, body) };
            vaults.put_version("lab", ObjectKind::Secret, name, version);
        };
        let value = |text: &str| Value::from(Map::from_iter([("value".to_owned(), Value::from(text))]));
        put("db-password", OLD_VERSION, 1_700_000_001, value("old"), true);
        let current = serde_json::json!({ "value": "pa55w0rd \u{e9}\u{1f511}", "contentType": "text/plain" });
        put("db-password", CURRENT_VERSION, 1_700_000_002, current, true);
        put("disabled", "0a", 1_700_000_000, value("off"), false);
        for number in 0..MANY {
            let created = 1_700_000_000 + i64::from(number);
            put("many", &format!("{number:032x}"), created, value(&number.to_string()), number % 2 == 0);
        }
        let web_version = vaults
            .put_certificate("lab", "web", &web, BundleFormat::Pem, ChainOrder::LeafFirst)
            .expect("a PEM bundle can be made");
        let files = tempfile::tempdir().expect("there is room for files");
        std::fs::write(files.path().join("ca.pem"), azure.ca_pem()).expect("the directory is new");
        Self { azure, web, web_version, files }
    }

    /// Runs a client as an identity, and returns its output.
    pub(crate) async fn read(&self, client: &Client, credential: Credential, client_id: &str) -> Value {
        let token = self.azure.service_account_token("default", "app", ENTRA_AUDIENCE, HOUR);
        let token_file = self.files.path().join("token");
        std::fs::write(&token_file, token).expect("the directory is writable");
        let ca = self.files.path().join("ca.pem");
        let mut command = Command::new(&client.program);
        command
            .args(&client.arguments)
            // No proxy, authority or credential of this machine may have an effect.
            .env_clear()
            .env("HTTPS_PROXY", self.azure.proxy_url())
            .env("SSL_CERT_FILE", &ca)
            .env("REQUESTS_CA_BUNDLE", &ca)
            .env("VAULT_URL", VAULT)
            .env("CREDENTIAL", credential.name())
            .env("AZURE_TENANT_ID", TENANT)
            .env("AZURE_CLIENT_ID", client_id)
            .env("AZURE_CLIENT_SECRET", "s3cr3t~value")
            .env("AZURE_FEDERATED_TOKEN_FILE", &token_file)
            .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", self.azure.imds_url())
            .env("IMDS_ADDRESS", self.azure.imds_address().to_string());
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.expect("waiting does not panic").expect("the client can be started");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "not JSON ({error}): {}\n{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }
}

/// Returns a folder beside this file.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// Returns the folder for tools, which `.ci/run` fills.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools")
}

/// Reports that the tests of a language are skipped, and why.
///
/// # Panics
/// `AZURE_CLIENTS`, a list of languages, requires the tests.
pub(crate) fn skip(language: &str, reason: &str) {
    let demanded = env::var("AZURE_CLIENTS").unwrap_or_default();
    assert!(!demanded.split_whitespace().any(|demand| demand == language), "{language}: {reason}");
    // Written directly to standard error, since the test harness shows output only of failed tests.
    let _ = writeln!(io::stderr(), "skipped: the tests of Azure's SDK for {language}: {reason}");
}

/// The number of versions of the secret `many`: more than two pages.
pub(crate) const MANY: u32 = 60;
const ENTRA_AUDIENCE: &str = "api://AzureADTokenExchange";
const HOUR: Duration = Duration::from_secs(3600);

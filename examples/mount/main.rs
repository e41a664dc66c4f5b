//! Shows mounts without Azure and without a cluster: `cargo run --example mount`.
//!
//! The example starts an emulated Azure and the provider on a real socket. It mounts the SecretProviderClasses of
//! Azure's documentation, one for each identity mode, and one whose files are keys of a JSON secret. It writes the files
//! as the driver does, and prints them and Azure's requests. At the end, a mount fails, to show a message.

mod azure;
mod class;
mod describe;
mod volume;

use std::{
    error::Error,
    path::{Path, PathBuf},
    time::Instant,
};

use akv_emulator::Journal;
use test_support::Driver;

use self::{azure::Azure, class::Class};

const CLASSES: [(&str, &str); 6] = [
    ("workload-identity", include_str!("../../manifests/examples/workload-identity.yaml")),
    (
        "user-assigned-managed-identity",
        include_str!("../../manifests/examples/user-assigned-managed-identity.yaml"),
    ),
    ("service-principal", include_str!("../../manifests/examples/service-principal.yaml")),
    ("json-keys", include_str!("../../manifests/examples/json-keys.yaml")),
    ("nginx-tls", include_str!("../../manifests/examples/nginx-tls.yaml")),
    ("spring-boot-keystore", include_str!("../../manifests/examples/spring-boot-keystore.yaml")),
];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Another directory than target/demo lets two demos run at once.
    let given = std::env::args_os().nth(1).map(PathBuf::from);
    let demo = given.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/demo"));
    let volumes = demo.join("mnt/secrets-store");
    if volumes.exists() {
        std::fs::remove_dir_all(&volumes)?;
    }
    std::fs::create_dir_all(&volumes)?;

    let azure = Azure::start(include_str!("seed.yaml")).await?;
    println!("azure     emulated on loopback, under its own names: Entra, Key Vault, IMDS");

    let begin = Instant::now();
    let socket = demo.join("azure.sock");
    let provider = azure.serve(&socket)?;
    let driver = Driver::on(&socket)?;
    driver.version().await?;
    println!("provider  {} answers after {}", shown(&socket), milliseconds(begin));

    for (name, manifest) in CLASSES {
        let class = Class::parse(manifest)?;
        println!("\n== manifests/examples/{name}.yaml: {}", class.summary());
        let request = class.request(&azure);
        azure.journal().clear();
        let begin = Instant::now();
        let volume = driver.call(request).await?;
        println!("mounted in {}{}", milliseconds(begin), phases(azure.journal()));

        let directory = volumes.join(name);
        volume::write(&directory, &volume)?;
        println!("\n{}", shown(&directory));
        for file in &volume.files {
            println!("  {}", describe::file(&directory, file)?);
        }
        println!("\nAzure saw");
        for entry in azure.journal().entries() {
            println!("  {} {}{}", entry.head.method, entry.head.host, path_and_status(&entry));
        }
    }

    println!("\n== the first again, with a misspelt name and a version that never was");
    let class = Class::parse(CLASSES[0].1)?;
    let class = class.with_objects(
        "array:\n- |\n  objectName: db-pasword\n  objectType: secret\n- |\n  objectName: web\n  objectType: cert\n  objectVersion: 00000000000000000000000000000000\n",
    );
    match driver.call(class.request(&azure)).await {
        Ok(_) => return Err("this mount should have failed".into()),
        Err(status) => println!("{:?}\n{}", status.code(), status.message()),
    }
    provider.stop().await?;
    Ok(())
}

/// Returns when the token and the objects arrived, as far as Azure's requests show it.
fn phases(journal: &Journal) -> String {
    let entries = journal.entries();
    let span = |wanted: fn(&akv_emulator::Entry) -> bool| {
        let seen: Vec<_> = entries.iter().filter(|entry| wanted(entry)).collect();
        let begin = seen.iter().map(|entry| entry.at).min()?;
        let end = seen.iter().map(|entry| entry.at + entry.took.unwrap_or_default()).max()?;
        Some((end - begin, seen.len()))
    };
    let token = span(|entry| entry.head.vault.is_none());
    let reads = span(|entry| entry.head.vault.is_some());
    let mut text = String::new();
    for (what, span) in [("token", token), ("vault", reads)] {
        if let Some((took, requests)) = span {
            let plural = if requests == 1 { "" } else { "s" };
            text += &format!(", {what} {:.1} ms in {requests} request{plural}", took.as_secs_f64() * 1e3);
        }
    }
    text
}

fn path_and_status(entry: &akv_emulator::Entry) -> String {
    let status = entry.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let why = if status == "401" { " (the challenge)" } else { "" };
    format!("{} {status}{why}", entry.head.path)
}

fn milliseconds(begin: Instant) -> String {
    format!("{:.1} ms", begin.elapsed().as_secs_f64() * 1e3)
}

/// Returns a path relative to the checkout.
fn shown(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display().to_string()
}

//! Compiles the provider protocol without a protoc on the machine, and records the version of the build.

use std::{env, error::Error, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    const PROTO: &str = "proto/provider/v1alpha1/service.proto";
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;

    // An image is built without the repository's history, so the commit is a build argument.
    println!("cargo::rerun-if-env-changed=AKV_COMMIT");
    println!("cargo::rustc-env=AKV_COMMIT={}", env::var("AKV_COMMIT").unwrap_or_default());
    println!("cargo::rustc-env=AKV_RUSTC={}", rustc()?);
    println!(
        "cargo::rustc-env=AKV_PLATFORM={}/{}",
        env::var("CARGO_CFG_TARGET_OS")?,
        env::var("CARGO_CFG_TARGET_ARCH")?
    );
    Ok(())
}

fn rustc() -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::var("RUSTC")?).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

//! Compiles the provider protocol without a protoc on the machine, and records the version of the build.

use std::{env, error::Error, path::Path, process::Command};

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
    if glibc_packs_relocations() {
        println!("cargo::rustc-link-arg-bin=akv-provider=-Wl,-z,pack-relative-relocs");
    }
    put_hot_code_together()
}

/// Returns whether the binary may have its relocations as a bitmap, which glibc knows since 2.36. As a table they are
/// 0.4 MB, and in memory as long as the process runs. Only the libc of this machine can be asked.
fn glibc_packs_relocations() -> bool {
    let variable = |name| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_ENV") != "gnu" || variable("HOST") != variable("TARGET") {
        return false;
    }
    let Ok(output) = Command::new("getconf").arg("GNU_LIBC_VERSION").output() else { return false };
    let output = String::from_utf8_lossy(&output.stdout);
    let version = output.trim().strip_prefix("glibc ").and_then(|version| version.split_once('.'));
    version.is_some_and(|(major, minor)| {
        (major.parse().unwrap_or(0), minor.parse().unwrap_or(0)) >= (2_u32, 36_u32)
    })
}

/// Puts the functions that a mount calls beside each other in a release. The kernel maps at least 64 KiB around each page
/// of code that is needed, so that otherwise nearly all code stays in memory. GNU ld and LLD know such scripts; for other
/// linkers, and for tools that know no section but `.text`, `AKV_HOT_CODE=off` leaves the code as it is.
fn put_hot_code_together() -> Result<(), Box<dyn Error>> {
    const SCRIPT: &str = "image/hot-code.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    println!("cargo::rerun-if-env-changed=AKV_HOT_CODE");
    if env::var("AKV_HOT_CODE").as_deref() == Ok("off") {
        return Ok(());
    }
    if env::var("PROFILE")? == "release" && env::var("CARGO_CFG_TARGET_OS")? == "linux" {
        let script = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(SCRIPT);
        println!("cargo::rustc-link-arg-bin=akv-provider=-T{}", script.display());
    }
    Ok(())
}

fn rustc() -> Result<String, Box<dyn Error>> {
    let output = Command::new(env::var("RUSTC")?).arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

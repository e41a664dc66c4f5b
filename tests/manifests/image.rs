//! The Dockerfile, as far as it can be checked without building it.

use std::{fs, process::Command};

use crate::repository::{path, run, text};

/// Returns the instructions, with continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = text("Dockerfile").replace("\\\n", " ");
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, rest) = line.split_once(' ').expect("an instruction has arguments");
            (name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn of(name: &str) -> Vec<String> {
    instructions().into_iter().filter(|(found, _)| found == name).map(|(_, rest)| rest).collect()
}

/// Returns sources and destination of each `COPY` from the repository.
fn copies() -> Vec<(Vec<String>, String)> {
    let copies = of("COPY");
    let ours = copies.iter().filter(|copy| !copy.starts_with("--from="));
    ours.map(|copy| {
        let mut words: Vec<String> = copy.split(' ').map(str::to_owned).collect();
        let to = words.pop().unwrap();
        (words, to)
    })
    .collect()
}

#[test]
fn the_build_context_holds_exactly_the_copied_sources() {
    let ignored = text(".dockerignore");
    let mut lines = ignored.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"), "everything is left out first");
    let mut sent: Vec<&str> = lines.map(|line| line.strip_prefix('!').expect("an exception")).collect();
    let mut copied: Vec<String> = copies().into_iter().flat_map(|(from, _)| from).collect();
    for source in &copied {
        assert!(path(source).exists(), "{source} is not in the repository");
    }
    // A file may be copied before the rest of its directory.
    let directories = copied.clone();
    copied.retain(|source| !directories.iter().any(|other| source.starts_with(&format!("{other}/"))));
    sent.sort_unstable();
    copied.sort_unstable();
    assert_eq!(sent, copied);
}

/// The stage that compiles dependencies has stand-ins for the sources. They must give the same packages.
#[test]
fn dependencies_can_be_compiled_without_the_sources() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for (sources, to) in copies().iter().take_while(|(from, _)| from[0] != "src") {
        for source in sources {
            let target = root.join(to).join(source.rsplit('/').next().unwrap());
            if path(source).is_file() {
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::copy(path(source), target).unwrap();
            }
        }
    }
    let stand_ins = &of("RUN")[0];
    for source in [
        "src/lib.rs",
        "src/main.rs",
        "emulator/src/lib.rs",
        "tests/cluster/main.rs",
        "tests/manifests/lib.rs",
        "tests/support/lib.rs",
    ] {
        assert!(stand_ins.split(' ').any(|word| word == source), "{source} has no stand-in");
        fs::create_dir_all(root.join(source).parent().unwrap()).unwrap();
        fs::write(root.join(source), "").unwrap();
    }
    // Unlike `metadata`, a build refuses a manifest with a target whose file is not there. It ends before it compiles.
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--offline", "--locked", "--package=akv-provider", "--bin=nothing"]);
    let build = cargo.current_dir(root).output().unwrap();
    let said = String::from_utf8_lossy(&build.stderr);
    assert!(said.contains("no bin target named `nothing`"), "{said}");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--locked", "--no-deps", "--format-version=1"]).current_dir(root);
    let metadata: serde_json::Value = serde_json::from_str(&run(&mut cargo).unwrap()).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let provider = packages.iter().find(|package| package["name"] == "akv-provider").unwrap();
    let targets = provider["targets"].as_array().unwrap();
    assert!(targets.iter().any(|target| target["name"] == "akv-provider" && target["kind"][0] == "bin"));
}

#[test]
fn the_compiler_is_the_one_that_the_workspace_names() {
    let toolchain = text("rust-toolchain.toml");
    let channel =
        toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let base = format!("rust:{channel}-slim-bookworm");
    assert_eq!(of("FROM"), [format!("{base} AS build"), "scratch".to_owned()]);
    // A release gives a digest for this name, which has to be that of the Dockerfile.
    for file in ["docs/image.md", ".github/workflows/release.yml"] {
        assert!(text(file).contains(&base), "{file} names another base image");
    }
    assert!(of("ENV").contains(&format!("RUSTUP_TOOLCHAIN={channel}")));
}

#[test]
fn the_binary_is_the_entrypoint_and_starts_without_privileges() {
    assert_eq!(of("ENTRYPOINT"), [r#"["/bin/akv-provider"]"#]);
    assert!(of("RUN").contains(&"image/rootfs.sh target/release/akv-provider /rootfs".to_owned()));
    assert_eq!(of("COPY").last().map(String::as_str), Some("--from=build /rootfs /"));
    let workspace = crate::repository::text("Cargo.toml");
    assert!(workspace.contains("[[bin]]\nname = \"akv-provider\"\n"));
    assert_eq!(of("USER"), ["65532:65532"]);
    let builds = of("RUN")
        .iter()
        .filter(|run| run.contains("cargo build --locked --release --bin akv-provider"))
        .count();
    assert_eq!(builds, 2, "once for the dependencies, once for us");
}

#[test]
fn version_and_commit_come_from_the_build() {
    let arguments = of("ARG");
    assert!(arguments.contains(&format!("AKV_VERSION={}", env!("CARGO_PKG_VERSION"))), "{arguments:?}");
    assert!(of("RUN").iter().any(|run| run.contains(r#"AKV_COMMIT="${AKV_COMMIT}" cargo build"#)));
    assert!(text("build.rs").contains(r#"env::var("AKV_COMMIT")"#));
    let labels = of("LABEL").join(" ");
    for label in ["title", "description", "licenses", "version", "revision"] {
        assert!(labels.contains(&format!("org.opencontainers.image.{label}=")), "{label}");
    }
}

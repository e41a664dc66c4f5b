//! Runs the functions of the fuzz targets without a fuzzer: on the inputs in `fuzz/saved`, and on seeds from the
//! recorded mounts and the archives of these tests.

mod seeds;
#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "for the fuzz targets it is a crate of its own")]
mod targets;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::seeds::seeds;

/// A target's name and function.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 22] = [
    ("attributes", targets::attributes),
    ("bundles", targets::bundles),
    ("chain", targets::chain),
    ("challenge", targets::challenge),
    ("claims", targets::claims),
    ("cloud_file", targets::cloud_file),
    ("grpc_timeout", targets::grpc_timeout),
    ("identity_proof", targets::identity_proof),
    ("jwk", targets::jwk),
    ("key_path", targets::key_path),
    ("objects", targets::objects),
    ("parts", targets::parts),
    ("pem", targets::pem),
    ("pkcs12", targets::pkcs12),
    ("private_key", targets::private_key),
    ("refusals", targets::refusals),
    ("retry_after", targets::retry_after),
    ("secret", targets::secret),
    ("server_name", targets::server_name),
    ("structured", targets::structured),
    ("token_response", targets::token_response),
    ("tokens", targets::tokens),
];

#[test]
fn every_saved_input_passes() {
    let mut inputs = 0;
    for (name, target) in TARGETS {
        for path in files(&root().join("fuzz/saved").join(name)) {
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
            inputs += 1;
        }
    }
    assert!(inputs >= TARGETS.len(), "only {inputs} inputs");
}

#[test]
fn every_seed_passes() {
    let seeds = seeds();
    for (name, target) in TARGETS {
        let mut inputs = seeds.iter().filter(|(of, _)| *of == name).peekable();
        assert!(inputs.peek().is_some(), "no seed for {name}");
        inputs.for_each(|(_, input)| target(input));
    }
}

#[test]
fn every_target_has_a_fuzzer() {
    let stems = files(&root().join("fuzz/targets")).into_iter();
    let built: BTreeSet<String> =
        stems.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(built, TARGETS.map(|(name, _)| name.to_owned()).into());
}

/// Writes initial inputs for the fuzzers.
#[test]
#[ignore = "writes to fuzz/corpus, for a fuzzer: docs/fuzzing.md"]
fn write_seeds() {
    for (index, (name, input)) in seeds().into_iter().enumerate() {
        let folder = root().join("fuzz/corpus").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("seed-{index}")), input).unwrap();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files of a folder, sorted by name; empty if there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

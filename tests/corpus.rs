//! What the fuzz targets are fed with, run through the same functions without a fuzzer: the inputs that are saved in
//! `fuzz/saved`, and seeds out of the recorded mounts and the archives of these tests.

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "for the fuzz targets it is a crate of its own")]
mod targets;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use akv_provider::content::pkcs12::Archive;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::Value;

/// A target's name, and what it does.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 10] = [
    ("attributes", targets::attributes),
    ("chain", targets::chain),
    ("cloud_file", targets::cloud_file),
    ("jwk", targets::jwk),
    ("objects", targets::objects),
    ("pem", targets::pem),
    ("pkcs12", targets::pkcs12),
    ("private_key", targets::private_key),
    ("secret", targets::secret),
    ("tokens", targets::tokens),
];

#[test]
fn every_saved_input_is_survived() {
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
fn every_seed_is_survived() {
    let seeds = seeds();
    for (name, target) in TARGETS {
        let mut inputs = seeds.iter().filter(|(of, _)| *of == name).peekable();
        assert!(inputs.peek().is_some(), "no seed for {name}");
        inputs.for_each(|(_, input)| target(input));
    }
}

#[test]
fn every_target_is_one_of_the_fuzzers() {
    let stems = files(&root().join("fuzz/targets")).into_iter();
    let built: BTreeSet<String> =
        stems.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(built, TARGETS.map(|(name, _)| name.to_owned()).into());
}

/// Gives the fuzzers something to start with.
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

/// In order of their names; none where there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn seeds() -> BTreeSet<(&'static str, Vec<u8>)> {
    let mut seeds = BTreeSet::new();
    for path in
        files(&root().join("tests/conformance")).iter().filter(|path| path.extension().unwrap() == "json")
    {
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for case in cases {
            of_request(&case["request"], &mut seeds);
            for vault in case["vaults"].as_object().into_iter().flat_map(|vaults| vaults.values()) {
                of_vault(vault, &mut seeds);
            }
        }
    }
    for path in files(&root().join("tests/data/pkcs12")) {
        let bytes = fs::read(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("pfx") => of_archive(bytes, &mut seeds),
            Some("pem") => drop(seeds.insert(("pem", bytes))),
            Some("der") => drop(seeds.insert(("private_key", bytes))),
            _ => {}
        }
    }
    let cloud = r#"{"activeDirectoryEndpoint":"https://login.local/","keyVaultEndpoint":"https://vault.local/","keyVaultDNSSuffix":"vault.local:8443"}"#;
    seeds.insert(("cloud_file", cloud.into()));
    seeds.insert((
        "tokens",
        r#"{"api://AzureADTokenExchange":{"token":"t","expirationTimestamp":"2030-01-01T00:00:00Z"}}"#.into(),
    ));
    seeds
}

type Seeds = BTreeSet<(&'static str, Vec<u8>)>;

fn of_request(request: &Value, seeds: &mut Seeds) {
    let attributes = &request["attributes"];
    let texts = [attributes, &request["secrets"], &request["permission"]].map(ToString::to_string);
    seeds.insert(("attributes", texts.join("\0").into_bytes()));
    if let Some(objects) = attributes["objects"].as_str() {
        seeds.insert(("objects", objects.into()));
    }
}

fn of_vault(vault: &Value, seeds: &mut Seeds) {
    let bodies = |kind: &str| {
        let versions = vault[kind].as_object().into_iter().flat_map(|objects| objects.values());
        versions
            .flat_map(|versions| versions.as_array().into_iter().flatten())
            .map(|version| &version["body"])
    };
    for body in bodies("secrets") {
        let value = body["value"].as_str().unwrap_or_default();
        let how = match body["contentType"].as_str() {
            Some("application/x-pem-file") => 1 | 64,
            Some("application/x-pkcs12") => 2 | 64,
            _ => 0,
        };
        seeds.insert(("secret", [&[how], value.as_bytes()].concat()));
        if let Some(archive) = BASE64.decode(value.as_bytes()).ok().filter(|_| how & 2 != 0) {
            of_archive(archive, seeds);
        }
    }
    for body in bodies("certificates") {
        if let Ok(cer) = BASE64.decode(body["cer"].as_str().unwrap_or_default().as_bytes()) {
            seeds.insert(("chain", counted(&[cer])));
        }
    }
    for body in bodies("keys") {
        let key = &body["key"];
        let number = |names: [&str; 2]| {
            let text = names.iter().find_map(|name| key[*name].as_str()).unwrap_or_default();
            BASE64URL_NOPAD.decode(text.as_bytes()).unwrap_or_default()
        };
        let place = |names: &[&str], field: &str| {
            let at = names.iter().position(|name| Some(*name) == key[field].as_str());
            u8::try_from(at.unwrap_or(names.len() - 1)).unwrap()
        };
        let start = [place(&targets::KEY_TYPES, "kty"), place(&targets::CURVES, "crv")];
        seeds.insert(("jwk", [&start[..], &counted(&[number(["n", "x"])]), &number(["e", "y"])].concat()));
    }
}

fn of_archive(pfx: Vec<u8>, seeds: &mut Seeds) {
    if let Ok(archive) = Archive::open(&pfx) {
        seeds.extend(archive.keys.iter().map(|key| ("private_key", key.expose().clone())));
        seeds.insert(("chain", counted(&archive.certificates)));
    }
    seeds.insert(("pkcs12", pfx));
}

/// Each with its length in two bytes before it.
fn counted(parts: &[Vec<u8>]) -> Vec<u8> {
    let counted = |part: &Vec<u8>| [&u16::try_from(part.len()).unwrap().to_be_bytes(), &part[..]].concat();
    parts.iter().flat_map(counted).collect()
}

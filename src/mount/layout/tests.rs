//! Tests of the conversion of a mount's objects, without a vault.

use std::{cell::Cell, sync::Arc};

use crate::{
    content::{fixture, jwk::PublicJwk, secret::PKCS12},
    metrics::Metrics,
    mount::{fetch::VersionRead, memory::VolumeMemory},
    spec::{
        absence::{IfAbsent, Presence},
        object::ObjectName,
        output::{
            KeyEncoding, Output, Outputs, OutputsShape, Part, PartFormat, SecretOutput, Store, StoreProfile,
        },
        rendering::{Rendering, SecretEncoding, SecretFormat},
        shape::{FileShape, KeyFile, KeysShape},
        syntax::Syntax,
    },
    vault::{KeyBundle, Properties, SecretBundle},
};

use data_encoding::BASE64;

use super::{conversion::render, *};

const SECRET: Rendering = Rendering::Secret { format: SecretFormat::Pem, encoding: SecretEncoding::Utf8 };

fn secret(value: &str) -> Arc<Bundle> {
    let value = Sensitive::new(value.to_owned());
    let version = "1".parse().unwrap();
    Arc::new(Bundle::Secret(SecretBundle {
        version,
        properties: Properties::default(),
        value,
        backs_certificate: None,
    }))
}

fn wanted(path: &str) -> ObjectSpec {
    let name: ObjectName = "a".parse().unwrap();
    let versions = VersionSelector::Newest;
    let file =
        FileShape { rendering: SECRET, path: path.parse().unwrap(), mode: None, if_absent: IfAbsent::Fail };
    ObjectSpec { vault: None, name, versions, shape: Shape::File(file), origin: Origin::Named }
}

fn read(bundle: &Arc<Bundle>) -> Fetched {
    Ok(Versions::Single(VersionRead { asked: None, bundle: Ok(bundle.clone()) }))
}

fn layout(largest_volume: usize) -> Layout {
    let default_mode = FileMode::from_bits(0o644).unwrap();
    Layout { default_mode, certificates: CertificateSettings::default(), largest_volume }
}

/// Returns the memory of a mount that gets a permit.
fn memory() -> MountMemory {
    VolumeMemory::new(0, 4 << 20, Metrics::new(false)).of_mount("shop")
}

#[test]
fn a_secret_under_many_names_is_converted_once() {
    let (bundle, other) = (secret("value"), secret("other"));
    let (mut rendered, mut draft, converted) =
        (Conversions::default(), Draft::new(1 << 20, memory()), Cell::new(0));
    for (index, bundle) in [&bundle, &bundle, &other, &bundle].into_iter().enumerate() {
        let convert = || {
            converted.set(converted.get() + 1);
            render(bundle, SECRET, CertificateSettings::default(), &mut Work::of_mount())
        };
        let files = rendered.files(bundle, SECRET, &draft, convert).unwrap();
        for (suffix, contents) in files.written {
            let path = index.to_string().parse::<RelativePath>().unwrap().with_suffix(suffix).unwrap();
            draft.add(VolumeFile { path, mode: layout(0).default_mode, contents });
        }
    }
    assert_eq!(converted.get(), 2);
    let contents: Vec<_> = (0..4).map(|index| draft.contents(index).unwrap().expose().clone()).collect();
    assert_eq!(contents, [&b"value"[..], b"value", b"other", b"value"]);
}

/// Returns an entry with these outputs of secret `a`.
fn wanted_outputs(entry: usize, contents: impl IntoIterator<Item = SecretOutput>) -> ObjectSpec {
    let items = contents.into_iter().enumerate().map(|(index, content)| Output {
        path: format!("{entry}/{index}").parse().unwrap(),
        mode: None,
        presence: Presence::Required,
        content,
    });
    let outputs = Outputs::Secret { items: items.collect(), source_password: None };
    let shape = Shape::Outputs(OutputsShape { outputs, presence: Presence::Required });
    ObjectSpec { shape, ..wanted("a") }
}

/// Opening an archive may take a second, so a second opening of each would fail a mount of many stores.
#[test]
fn an_archive_under_many_outputs_is_opened_once() {
    let store = |index: usize| {
        let alias = format!("a{index}").parse().unwrap();
        let password = Some("password".parse().unwrap());
        let store = Store { alias, profile: StoreProfile::Modern2023, password };
        let keystore = index.is_multiple_of(2);
        SecretOutput::Part(if keystore { Part::Keystore(store) } else { Part::Truststore(store) })
    };
    let parts = [
        Part::Key(KeyEncoding::Pkcs8, PartFormat::Pem),
        Part::Leaf(PartFormat::Der),
        Part::Chain,
        Part::FullChain,
        Part::Combined(Some(KeyEncoding::Pkcs8)),
    ];
    let objects = [
        wanted_outputs(0, (0..20).map(store)),
        wanted_outputs(1, (0..20).map(store)),
        wanted_outputs(2, parts.map(SecretOutput::Part)),
        wanted_outputs(3, [SecretOutput::Value(SecretEncoding::Utf8), SecretOutput::Metadata]),
        ObjectSpec { name: "password".parse().unwrap(), shape: Shape::Password, ..wanted("p") },
    ];
    let archive = |name: &str| {
        let mut bundle = Arc::into_inner(secret(&BASE64.encode(&fixture(name)))).unwrap();
        if let Bundle::Secret(secret) = &mut bundle {
            secret.backs_certificate = Some(PKCS12.to_owned());
        }
        Arc::new(bundle)
    };
    let build = |archives: [&Arc<Bundle>; 4]| {
        let fetched = archives.map(read).into_iter().chain([read(&secret("correct horse"))]).collect();
        build_volume(&objects, &[], fetched, layout(4 << 20), memory(), || false).unwrap()
    };
    let (one, other) = (archive("shuffled-chain.pfx"), archive("shuffled-chain.pfx"));
    let volume = build([&one; 4]);
    assert_eq!((volume.files.len(), volume.taken_apart), (47, 1));
    assert_eq!(build([&one, &other, &one, &other]).taken_apart, 2, "two answers are two archives");
}

/// PEM has no password, and each further object with one once kept another copy of its parts.
#[test]
fn pem_under_many_password_objects_is_taken_apart_once() {
    let password = |index: usize| format!("p{index}").parse::<ObjectName>().unwrap();
    let entry = |index: usize| {
        let parts = [Part::Leaf(PartFormat::Pem), Part::Key(KeyEncoding::Pkcs8, PartFormat::Pem)];
        let mut object = wanted_outputs(index, parts.map(SecretOutput::Part));
        if let Shape::Outputs(OutputsShape { outputs: Outputs::Secret { source_password, .. }, .. }) =
            &mut object.shape
        {
            *source_password = Some(password(index));
        }
        object
    };
    let secrets = (0..50).map(|index| ObjectSpec::password(None, password(index)));
    let objects: Vec<_> = (0..50).map(entry).chain(secrets).collect();
    let pem = secret(&String::from_utf8(fixture("shuffled-chain.pem")).unwrap());
    let fetched = objects.iter().map(|_| read(&pem)).collect();
    let volume = build_volume(&objects, &[], fetched, layout(4 << 20), memory(), || false).unwrap();
    assert_eq!((volume.files.len(), volume.taken_apart), (100, 1));
}

/// Returns an entry whose files are the keys of secret `a`.
fn wanted_keys(directory: &str) -> ObjectSpec {
    let keys = KeySelection::All { directory: Some(directory.parse().unwrap()), mode: None };
    let (encoding, syntax, presence) = (SecretEncoding::Utf8, Syntax::Json, Presence::Required);
    ObjectSpec { shape: Shape::Keys(KeysShape { encoding, syntax, keys, presence }), ..wanted("a") }
}

/// Returns the failed objects with their errors.
fn failures(objects: &[ObjectSpec], bundle: &Arc<Bundle>) -> Vec<String> {
    let fetched = objects.iter().map(|_| read(bundle)).collect();
    match build_volume(objects, &[], fetched, layout(1 << 20), memory(), || false) {
        Err(NoVolume::Failures(failures)) => {
            failures.iter().map(|failure| format!("{}: {}", failure.object, failure.error)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_keys_that_become_one_file_are_both_named() {
    let bundle = secret(r#"{"x":null,"a/b":"canary","a.b":"canary","a b":"canary"}"#);
    assert_eq!(
        failures(&[wanted("x"), wanted_keys("db")], &bundle),
        [
            "secret/a: two of its keys become the file \"db/a_b\": keys 2 and 4 of the value; name the keys under \
             jmesPath"
        ]
    );
}

#[test]
fn a_volume_that_is_too_large_says_so_though_keys_become_one_file() {
    let bundle = secret(&format!(r#"{{"a/b":"x","a b":"x","c":"{}"}}"#, "x".repeat(2_000)));
    let objects = [wanted_keys("db")];
    let built = build_volume(&objects, &[], vec![read(&bundle)], layout(1_000), memory(), || false);
    assert!(matches!(built, Err(NoVolume::TooLarge(_))), "{built:?}");
}

#[test]
fn two_outputs_of_a_found_object_that_become_one_file_are_not_taken_for_keys() {
    let value = || SecretOutput::Value(SecretEncoding::Utf8);
    let mut object = wanted_outputs(0, [value(), value()]);
    object.origin = Origin::Found { entry: 0 };
    if let Shape::Outputs(OutputsShape { outputs: Outputs::Secret { items, .. }, .. }) = &mut object.shape {
        items[1].path = items[0].path.clone();
    }
    assert_eq!(
        failures(&[object], &secret("canary")),
        ["secret/a: its file \"0/0\" is also that of another of its outputs; set another objectAlias"]
    );
}

/// The order of entries once decided whether a plain file repeated a version.
#[test]
fn an_object_version_appears_once_in_any_order_of_its_entries() {
    let bundle = secret(r#"{"k":"v"}"#);
    let recorded = |objects: &[ObjectSpec]| -> Vec<String> {
        let fetched = objects.iter().map(|_| read(&bundle)).collect();
        let volume = build_volume(objects, &[], fetched, layout(1 << 20), memory(), || false).unwrap();
        volume.versions.into_iter().map(|version| version.id).collect()
    };
    let outputs = || wanted_outputs(0, [SecretOutput::Metadata]);
    for objects in [
        vec![wanted("x"), outputs()],
        vec![outputs(), wanted("x")],
        vec![wanted("x"), wanted_keys("d")],
        vec![wanted_keys("d"), wanted("x")],
        vec![outputs(), wanted("x"), wanted("y")],
        vec![wanted("x"), outputs(), wanted("y")],
        vec![wanted("x"), wanted("y"), outputs()],
    ] {
        assert_eq!(recorded(&objects), ["secret/a"], "{objects:?}");
    }
    // Compat: provider-azure knows plain files alone, and repeats their versions.
    assert_eq!(recorded(&[wanted("x"), wanted("y")]), ["secret/a", "secret/a"]);
    let other = ObjectSpec { name: "b".parse().unwrap(), ..outputs() };
    assert_eq!(recorded(&[wanted("x"), other, wanted("y")]), ["secret/a", "secret/b", "secret/a"]);
}

#[test]
fn thousands_of_keys_count_as_a_slow_conversion() {
    let key = |_| {
        let (version, properties) = ("1".parse().unwrap(), Properties::default());
        read(&Arc::new(Bundle::Key(KeyBundle { version, properties, key: PublicJwk::default() })))
    };
    let objects: Vec<_> = (0..4_000).map(|index| wanted(&index.to_string())).collect();
    assert!(!is_slow(&objects, &(0..FEW_KEYS).map(key).collect::<Vec<_>>()));
    assert!(is_slow(&objects, &(0..=FEW_KEYS).map(key).collect::<Vec<_>>()));
    assert!(!is_slow(&objects, &(0..4_000).map(|_| read(&secret("value"))).collect::<Vec<_>>()));
}

#[test]
fn a_volume_over_the_drivers_limit_has_no_files_but_a_size() {
    let bundle = secret(&"x".repeat(25_000));
    let objects: Vec<_> = (0..4_000).map(|index| wanted(&format!("a{index}"))).collect();
    let fetched = objects.iter().map(|_| read(&bundle)).collect();
    let Err(NoVolume::TooLarge(TooLarge { size, largest })) =
        build_volume(&objects, &[], fetched, layout(4 << 20), memory(), || false)
    else {
        panic!("too much is laid out");
    };
    assert!((100_000_000..101_000_000).contains(&size), "{size}");
    let largest = largest.unwrap();
    assert!(largest.to_string().starts_with("a0 (25000 bytes)"), "{largest}");
}

#[test]
fn a_volume_over_the_drivers_limit_makes_no_further_keys() {
    let keys: Vec<_> = (0..1_000).map(|key| format!(r#""{key}":"""#)).collect();
    let bundle = secret(&format!("{{{}}}", keys.join(",")));
    let entry = |index: usize| {
        let keys = KeySelection::All { directory: Some(format!("d{index}").parse().unwrap()), mode: None };
        let (encoding, syntax, presence) = (SecretEncoding::Utf8, Syntax::Json, Presence::Required);
        ObjectSpec { shape: Shape::Keys(KeysShape { encoding, syntax, keys, presence }), ..wanted("a") }
    };
    let objects: Vec<_> = (0..1_000).map(entry).collect();
    let fetched = objects.iter().map(|_| read(&bundle)).collect();
    let Err(NoVolume::TooLarge(TooLarge { size, .. })) =
        build_volume(&objects, &[], fetched, layout(1 << 20), memory(), || false)
    else {
        panic!("too much is laid out");
    };
    assert!(size < (2 << 20) + 1_000 * bundle.content_bytes(), "{size} bytes of a million files");
}

/// A few kilobytes of YAML have megabytes of JSON, which once were written for each key, also beyond the limit.
#[test]
fn a_volume_over_the_drivers_limit_makes_no_further_json() {
    let text = r"\x01".repeat(200);
    let (texts, lists) = (["*t"; 50].join(","), ["*l"; 99].join(","));
    let yaml = format!("t: &t \"{text}\"\nl: &l [{texts}]\nall: [{lists}]\n");
    let bundle = secret(&yaml);
    let key = |index: usize| KeyFile {
        key: "all".parse().unwrap(),
        path: format!("f{index}").parse().unwrap(),
        mode: None,
        encoding: if index.is_multiple_of(2) { SecretEncoding::Utf8 } else { SecretEncoding::Hex },
        if_absent: IfAbsent::Fail,
    };
    let keys = KeySelection::Listed((0..1_000).map(key).collect());
    let (encoding, syntax, presence) = (SecretEncoding::Utf8, Syntax::Yaml, Presence::Required);
    let shape = Shape::Keys(KeysShape { encoding, syntax, keys, presence });
    let objects = [ObjectSpec { shape, ..wanted("a") }];
    let Err(NoVolume::TooLarge(TooLarge { size, largest })) =
        build_volume(&objects, &[], vec![read(&bundle)], layout(4 << 20), memory(), || false)
    else {
        panic!("too much is laid out");
    };
    let json = 99 * (50 * (2 + 6 * 200) + 49 + 2) + 98 + 2;
    assert!((json..json + 1_000 * (yaml.len() + 256)).contains(&size), "{size}");
    assert!(largest.unwrap().to_string().starts_with(&format!("f0 ({json} bytes)")));
}

#[test]
fn tags_in_files_wait_for_memory_like_large_volumes() {
    let tags = (0..15).map(|tag| (format!("{tag:0512}"), "x".repeat(512))).collect();
    let mut bundle = Arc::into_inner(secret("x")).unwrap();
    if let Bundle::Secret(secret) = &mut bundle {
        secret.properties.tags = tags;
    }
    let bundle = Arc::new(bundle);
    let objects: Vec<_> = (0..100).map(|entry| wanted_outputs(entry, [SecretOutput::Metadata])).collect();
    let all = VolumeMemory::new(0, 4 << 20, Metrics::new(false));
    let build = || {
        let fetched = objects.iter().map(|_| read(&bundle)).collect();
        build_volume(&objects, &[], fetched, layout(4 << 20), all.of_mount("shop"), || false)
    };
    let other = all.of_mount("shop");
    other.hold(1 << 20).unwrap();
    assert!(matches!(build(), Err(NoVolume::NoPermit)));
    drop(other);
    assert_eq!(build().unwrap().files.len(), 100);
}

#[test]
fn conversion_stops_when_the_mount_is_dropped() {
    let objects = [wanted("a"), wanted("b"), wanted("c")];
    let fetched = objects.iter().map(|_| read(&secret("value"))).collect();
    let asked = Cell::new(0);
    let abandoned = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    let volume = build_volume(&objects, &[], fetched, layout(1 << 20), memory(), abandoned);
    assert!(matches!(volume, Err(NoVolume::Abandoned)));
    assert_eq!(asked.get(), 3);
}

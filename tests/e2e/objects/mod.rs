//! Replays the mounts of `tests/objects`: what a vault holds, one call, and what the volume must hold then.

mod case;
mod check;
mod forms;
mod stores;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use akv_emulator::{Route, Service, VaultSet};

use crate::{
    conformance::{faults, files, same_cases},
    harness::{Azure, Mounted, Placeholders, Provider},
};

use self::case::Case;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mounts_of_objects_end_as_they_should() {
    replay(&own_folder(), |_| true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mounts_of_objects_beside_the_checkout_end_as_they_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/objects");
    let own: Vec<String> = groups(&own_folder()).into_iter().map(|(group, _)| group).collect();
    if !folder.is_dir() {
        println!("skipped: there is no folder of cases beside the checkout");
    } else if same_cases(&folder, &own_folder()) {
        println!("skipped: the cases beside the checkout are the project's own");
    } else {
        replay(&folder, |group| own.iter().any(|own| own == group)).await;
    }
}

fn own_folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/objects")
}

fn groups(folder: &Path) -> Vec<(String, Vec<Case>)> {
    let read = |path: std::path::PathBuf| {
        let group = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let cases = serde_json::from_slice(&fs::read(&path).expect("a case file can be read"));
        (group, cases.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    files(folder).into_iter().map(read).collect()
}

async fn replay(folder: &Path, wanted: impl Fn(&str) -> bool) {
    let azure = Azure::with_vaults(VaultSet::default()).await;
    let mut table = BTreeMap::new();
    let (mut wrong, mut calls) = (Vec::new(), 0);
    for (group, cases) in groups(folder).into_iter().filter(|(group, _)| wanted(group)) {
        let (held, all) = table.entry(group.clone()).or_insert((0, cases.len()));
        *all = cases.len();
        for case in &cases {
            match play(&azure, case, &mut calls).await {
                Ok(()) => *held += 1,
                Err(error) => wrong.push(format!("{group}/{}: {error}", case.name)),
            }
        }
    }
    println!("held of all, by group: {table:?}");
    assert!(!table.is_empty(), "no cases in {}", folder.display());
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Plays a case with a new provider; `Err` names the difference.
async fn play(azure: &Azure, case: &Case, calls: &mut u32) -> Result<(), String> {
    azure.vaults().replace(case.vaults.clone());
    azure.directory().replace(case.directory()?);
    azure.faults().clear();
    azure.latency().clear();
    faults::inject(azure, &case.faults);
    azure.journal().clear();
    let result = call(azure, case, calls).await;
    let expect = &case.expect;
    expect.check(&result)?;

    let reads = azure.journal().count(&Route::service(Service::Vault).credentials(true));
    if expect.max_requests.is_some_and(|most| reads > most) {
        let lines = azure.journal().lines().join("\n");
        return Err(format!("{reads} reads instead of {:?} at most:\n{lines}", expect.max_requests));
    }
    for host in &expect.not_asked {
        let host = host.clone();
        let asked = Route::any().matching(move |head| head.host == host);
        if azure.journal().count(&asked) > 0 {
            return Err(format!("asked {}", expect.not_asked.join(", ")));
        }
    }
    if expect.same_bytes_twice {
        let again = call(azure, case, calls).await;
        match (&result, &again) {
            (Ok(first), Ok(second)) if first.files == second.files => {}
            _ => return Err("another provider gives other bytes".to_owned()),
        }
    }
    Ok(())
}

/// Mounts as a new pod, with a new provider, which has nothing cached.
async fn call(azure: &Azure, case: &Case, calls: &mut u32) -> Result<Mounted, tonic::Status> {
    *calls += 1;
    let cloud_file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(cloud_file.path(), azure.cloud_file_json()).expect("the cloud file can be written");
    let request = case.request.fill(&Placeholders {
        azure,
        cloud_file: cloud_file.path(),
        pod_uid: format!("00000000-0000-0000-0001-{calls:012}"),
    });
    let provider = Provider::start_with(azure, &case.flags);
    provider.driver().send_within(request, Some(Duration::from_secs(case.timeout))).await
}

//! Replays every recorded mount: the project's own cases, and those of a folder beside the checkout if it exists and
//! differs.

pub(crate) mod faults;
mod reports;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use akv_emulator::VaultSet;
use akv_provider::proto::MountRequest;
use data_encoding::BASE64;
use serde::Deserialize;
use tonic::Code;

use crate::harness::{Azure, CaseRequest, Driver, Mounted, Placeholders, Provider};

use self::faults::CaseFault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_mounts_are_reproduced() {
    replay(&own_folder()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_mounts_beside_the_checkout_are_reproduced() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    if !folder.is_dir() {
        println!("skipped: there is no folder of cases beside the checkout");
    } else if same_cases(&folder, &own_folder()) {
        println!("skipped: the cases beside the checkout are the project's own");
    } else {
        replay(&folder).await;
    }
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance")
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    flags: Vec<String>,
    vaults: VaultSet,
    request: CaseRequest,
    #[serde(default)]
    faults: Vec<CaseFault>,
    expect: Expectation,
    beyond: Option<Beyond>,
}

#[derive(Deserialize)]
struct Expectation {
    #[serde(default)]
    files: Vec<ExpectedFile>,
    #[serde(default)]
    object_versions: Vec<(String, String)>,
    error: Option<ExpectedError>,
}

#[derive(Deserialize)]
struct ExpectedFile {
    path: String,
    mode: i32,
    contents: String,
}

#[derive(Deserialize)]
struct ExpectedError {
    code: String,
    #[serde(default)]
    mentions: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
}

/// The required result, where it differs from the recorded one.
#[derive(Deserialize, Default)]
struct Beyond {
    files: Option<Vec<(String, String)>>,
    files_modes: Option<Vec<(String, i32)>>,
    error_mentions: Option<Vec<String>>,
    code: Option<String>,
}

/// A recorded case that this provider answers in another way since.
struct Superseded {
    group: &'static str,
    name: &'static str,
    /// Paths and texts.
    files: &'static [(&'static str, &'static str)],
}

/// The README of the cases says why.
const SUPERSEDED: [Superseded; 1] =
    [Superseded { group: "parameters", name: "tenant-missing", files: &[("db-password", "pa55w0rd")] }];

/// One Azure for all cases, and a provider for each set of flags.
struct Stage {
    azure: Azure,
    providers: BTreeMap<Vec<String>, (Provider, Driver)>,
    cloud_file: tempfile::NamedTempFile,
    pods: u32,
}

impl Stage {
    async fn set() -> Self {
        let azure = Azure::with_vaults(VaultSet::default()).await;
        let cloud_file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(cloud_file.path(), azure.cloud_file_json()).expect("the cloud file can be written");
        Self { azure, providers: BTreeMap::new(), cloud_file, pods: 0 }
    }

    /// Replays a case, twice where nothing fails between: the second pod shares what the provider kept of the first
    /// one's class. `Err` names the difference.
    async fn play(&mut self, case: &Case) -> Result<(), String> {
        self.azure.vaults().replace(case.vaults.clone());
        let request = self.request(case);
        let command = akv_provider::cli::parse(case.flags.iter().cloned(), Default::default());
        command.map_err(|error| format!("the flags are refused: {error}"))?;
        if !case.faults.is_empty() {
            // A new provider, which has nothing cached.
            faults::inject(&self.azure, &case.faults);
            let result = Provider::start_with(&self.azure, &case.flags).driver().send(request).await;
            self.azure.faults().clear();
            return case.check(result);
        }
        if !self.providers.contains_key(&case.flags) {
            let provider = Provider::start_with(&self.azure, &case.flags);
            let driver = provider.driver();
            self.providers.insert(case.flags.clone(), (provider, driver));
        }
        let again = self.request(case);
        let (_, driver) = &self.providers[&case.flags];
        let (first, second) = (driver.send(request).await, driver.send(again).await);
        if let (Err(first), Err(second)) = (&first, &second) {
            same("message of the second mount", &second.message(), &first.message())?;
        }
        case.check(first)?;
        case.check(second).map_err(|error| format!("the second mount: {error}"))
    }

    /// Returns the request of a further pod.
    fn request(&mut self, case: &Case) -> MountRequest {
        self.pods += 1;
        case.request.fill(&Placeholders {
            azure: &self.azure,
            cloud_file: self.cloud_file.path(),
            pod_uid: format!("00000000-0000-0000-0000-{:012}", self.pods),
        })
    }
}

impl Case {
    fn check(&self, result: Result<Mounted, tonic::Status>) -> Result<(), String> {
        let result = result.map_err(|status| (status.code(), status.message().to_owned()));
        match &self.beyond {
            Some(Beyond { files: Some(files), .. }) => {
                let mounted = success(result)?;
                let found: Vec<_> =
                    mounted.files.iter().map(|(path, _, bytes)| (path.as_str(), &bytes[..])).collect();
                let wanted: Vec<_> =
                    files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
                same("files", &found, &wanted)
            }
            Some(Beyond { files_modes: Some(modes), .. }) => {
                let mounted = success(result)?;
                let found: Vec<_> =
                    mounted.files.iter().map(|(path, mode, _)| (path.clone(), *mode)).collect();
                same("modes", &found, modes)
            }
            Some(Beyond { error_mentions: Some(mentions), code, .. }) => {
                let code = code.as_ref().or(self.expect.error.as_ref().map(|error| &error.code));
                failure(result, code.map(String::as_str), mentions, &[])
            }
            Some(_) => Err("the case says nothing of what is beyond".to_owned()),
            None => match &self.expect.error {
                Some(error) => failure(result, Some(&error.code), &error.mentions, &error.lacks),
                None => {
                    let mounted = success(result)?;
                    let wanted: Vec<_> = self.expect.files.iter().map(ExpectedFile::decode).collect();
                    same("files", &mounted.files, &wanted)?;
                    same("object versions", &mounted.versions, &self.expect.object_versions)
                }
            },
        }
    }
}

impl ExpectedFile {
    fn decode(&self) -> (String, i32, Vec<u8>) {
        let contents = BASE64.decode(self.contents.as_bytes()).expect("contents are base64");
        (self.path.clone(), self.mode, contents)
    }
}

fn success(result: Result<Mounted, (Code, String)>) -> Result<Mounted, String> {
    result.map_err(|(code, message)| format!("failed with {code:?}: {message}"))
}

fn failure(
    result: Result<Mounted, (Code, String)>,
    code: Option<&str>,
    mentions: &[String],
    lacks: &[String],
) -> Result<(), String> {
    let (found, message) = match result {
        Err(error) => error,
        Ok(mounted) => return Err(format!("mounted {:?} instead of failing", mounted.paths())),
    };
    // `InvalidArgument` is `INVALID_ARGUMENT` in the cases.
    if let Some(code) = code
        && !code.replace('_', "").eq_ignore_ascii_case(&format!("{found:?}"))
    {
        return Err(format!("{found:?} instead of {code}: {message}"));
    }
    let says = |text: &&String| message.to_lowercase().contains(&text.to_lowercase());
    if let Some(mention) = mentions.iter().find(|mention| !says(mention)) {
        return Err(format!("no mention of {mention:?}: {message}"));
    }
    match lacks.iter().find(says) {
        Some(wrong) => Err(format!("a mention of {wrong:?}: {message}")),
        None => Ok(()),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:.300?}, wanted {wanted:.300?}")) }
}

async fn replay(folder: &Path) {
    let mut stage = Stage::set().await;
    let mut table = String::from("group           held  cases\n");
    let mut wrong = String::new();
    for (group, cases) in groups(folder) {
        let (mut held, count) = (0, cases.len());
        for mut case in cases {
            if let Some(now) = SUPERSEDED.iter().find(|old| (old.group, old.name) == (&group, &case.name)) {
                let files = now.files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
                case.beyond = Some(Beyond { files: Some(files.collect()), ..Beyond::default() });
            }
            match stage.play(&case).await {
                Ok(()) => held += 1,
                Err(error) => writeln!(wrong, "{group}/{}: {error}", case.name).unwrap(),
            }
        }
        writeln!(table, "{group:<14} {held:>5}  {count:>5}").unwrap();
    }
    println!("{table}");
    assert!(wrong.is_empty(), "\n{table}\n{wrong}");
}

fn groups(folder: &Path) -> Vec<(String, Vec<Case>)> {
    let groups: Vec<_> = files(folder)
        .into_iter()
        .map(|path| {
            let group = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let cases = serde_json::from_slice(&fs::read(&path).expect("a case file can be read"));
            let cases = cases.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (group, cases)
        })
        .collect();
    assert!(!groups.is_empty(), "no cases in {}", folder.display());
    groups
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder can be listed");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

pub(crate) fn same_cases(one: &Path, other: &Path) -> bool {
    let contents = |folder: &Path| -> BTreeMap<_, _> {
        files(folder)
            .into_iter()
            .map(|path| {
                (path.file_name().map(ToOwned::to_owned), fs::read(path).expect("a case file can be read"))
            })
            .collect()
    };
    contents(one) == contents(other)
}

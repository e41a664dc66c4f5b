//! Compares a result with what a case expects.

use std::collections::BTreeSet;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value;
use tonic::Status;

use crate::harness::Mounted;

use super::{forms::Form, stores::Store};

/// What a case expects: files and versions, or an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    #[serde(default)]
    files: Vec<ExpectedFile>,
    /// The files may come in any order.
    #[serde(default)]
    unordered: bool,
    #[serde(default)]
    object_versions: BTreeSet<(String, String)>,
    #[serde(default)]
    ignore_versions: BTreeSet<String>,
    #[serde(default)]
    stores: Vec<Store>,
    error: Option<ExpectedError>,
    /// The most requests with a token that Key Vault sees.
    pub(super) max_requests: Option<usize>,
    /// Hosts that no request goes to.
    #[serde(default)]
    pub(super) not_asked: Vec<String>,
    /// Another provider gives the same bytes.
    #[serde(default)]
    pub(super) same_bytes_twice: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedFile {
    path: String,
    mode: i32,
    /// The bytes in base64.
    contents: Option<String>,
    json: Option<Value>,
    yaml: Option<Value>,
    properties: Option<Value>,
    shell: Option<Value>,
    /// Keys that only must be there.
    #[serde(default)]
    any: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedError {
    code: String,
    akv: Option<String>,
    #[serde(default)]
    mentions: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
}

impl Expectation {
    pub(super) fn check(&self, result: &Result<Mounted, Status>) -> Result<(), String> {
        match (&self.error, result) {
            (Some(error), Err(status)) => error.check(status),
            (Some(_), Ok(mounted)) => Err(format!("mounted {:?} instead of failing", mounted.paths())),
            (None, Err(status)) => Err(format!("failed with {:?}: {}", status.code(), status.message())),
            (None, Ok(mounted)) => self.check_volume(mounted),
        }
    }

    fn check_volume(&self, mounted: &Mounted) -> Result<(), String> {
        let mut found: Vec<_> = mounted.files.iter().collect();
        let mut expected: Vec<_> = self.files.iter().collect();
        if self.unordered {
            found.sort_by_key(|(path, ..)| path.clone());
            expected.sort_by_key(|file| file.path.clone());
        }
        let places = |files: &[&(String, i32, Vec<u8>)]| -> Vec<(String, i32)> {
            files.iter().map(|(path, mode, _)| (path.clone(), *mode)).collect()
        };
        let wanted: Vec<_> = expected.iter().map(|file| (file.path.clone(), file.mode)).collect();
        if places(&found) != wanted {
            return Err(format!("files {:?} instead of {wanted:?}", places(&found)));
        }
        for (file, (path, _, contents)) in expected.iter().zip(&found) {
            file.check(contents).map_err(|error| format!("{path}: {error}"))?;
        }
        for store in &self.stores {
            let (.., contents) = found
                .iter()
                .find(|(path, ..)| *path == store.path)
                .ok_or_else(|| format!("no store {}", store.path))?;
            store.check(contents).map_err(|error| format!("{}: {error}", store.path))?;
        }
        let versions: BTreeSet<_> =
            mounted.versions.iter().filter(|(id, _)| !self.ignore_versions.contains(id)).cloned().collect();
        if versions != self.object_versions {
            return Err(format!("versions {versions:?} instead of {:?}", self.object_versions));
        }
        Ok(())
    }
}

impl ExpectedFile {
    fn check(&self, contents: &[u8]) -> Result<(), String> {
        if let Some(expected) = &self.contents {
            let expected = BASE64.decode(expected.as_bytes()).expect("contents are base64");
            if contents != expected {
                let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                return Err(format!("{:?} instead of {:?}", shown(contents), shown(&expected)));
            }
        }
        for (form, expected) in [
            (Form::Json, &self.json),
            (Form::Yaml, &self.yaml),
            (Form::Properties, &self.properties),
            (Form::Shell, &self.shell),
        ] {
            if let Some(expected) = expected {
                form.check(contents, expected, &self.any)?;
            }
        }
        Ok(())
    }
}

impl ExpectedError {
    fn check(&self, status: &Status) -> Result<(), String> {
        let (code, message) = (format!("{:?}", status.code()), status.message());
        // `InvalidArgument` is `INVALID_ARGUMENT` in the cases.
        if !self.code.replace('_', "").eq_ignore_ascii_case(&code) {
            return Err(format!("{code} instead of {}: {message}", self.code));
        }
        if let Some(akv) = &self.akv
            && !message.contains(&format!("[{akv}]"))
        {
            return Err(format!("no [{akv}]: {message}"));
        }
        let says = |text: &&String| message.to_lowercase().contains(&text.to_lowercase());
        if let Some(mention) = self.mentions.iter().find(|mention| !says(mention)) {
            return Err(format!("no mention of {mention:?}: {message}"));
        }
        match self.lacks.iter().find(says) {
            Some(wrong) => Err(format!("a mention of {wrong:?}: {message}")),
            None => Ok(()),
        }
    }
}

//! Files of the repository, and programs that render some of them.

use std::{
    ffi::OsString,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Returns a path of the repository.
pub(crate) fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

/// Returns a text file of the repository.
pub(crate) fn text(relative: &str) -> String {
    let path = path(relative);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns everything directly in a directory of the repository, sorted.
pub(crate) fn files(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(path(directory)).unwrap_or_else(|error| panic!("{directory}: {error}"));
    let mut names: Vec<String> = entries
        .map(|entry| format!("{directory}/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    names.sort();
    names
}

/// Returns every file below a directory of the repository.
pub(crate) fn files_within(directory: &str) -> Vec<String> {
    let within = |name: String| if path(&name).is_dir() { files_within(&name) } else { vec![name] };
    files(directory).into_iter().flat_map(within).collect()
}

/// Returns the documents of a YAML text, without empty ones.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("not YAML: {error}\n{yaml}"));
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// Returns a program from `PATH`, or from the path in the environment variable. Without the program, the test reports
/// that it is skipped, and passes.
pub(crate) fn program(name: &str, variable: &str) -> Option<PathBuf> {
    let given = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let found = given.or_else(|| {
        let paths: OsString = std::env::var_os("PATH")?;
        std::env::split_paths(&paths).map(|directory| directory.join(name)).find(|file| file.is_file())
    });
    if found.is_none() {
        // Written directly to standard error, since the test harness shows output only of failed tests.
        let _ = writeln!(io::stderr(), "skipped: no {name} in PATH, and {variable} is not set");
    }
    found
}

/// Returns a program's output; `Err` is its error output.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

//! `validate`: checks SecretProviderClasses before they are applied.

pub(crate) mod check;
pub(crate) mod finding;
mod locate;
mod report;
mod review;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use self::{
    finding::{Finding, Rule, Severity},
    report::Report,
    review::Load,
};
use super::{
    class::{Class, node::Documents, source::Source},
    command::{ReportFormat, Validate},
    input::{self, InputError, is_stdin},
    output::Output,
};

/// A validation that could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValidateError {
    /// An input cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A directory cannot be listed.
    #[error("cannot list {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A directory holds too many files.
    #[error("{} holds more than {MAX_FILES} files of YAML; name some of them", path.display())]
    TooManyFiles {
        /// The directory.
        path: PathBuf,
    },
    /// `--interval` is not a duration.
    #[error("--interval {0}")]
    Interval(String),
    /// The result cannot be written.
    #[error("cannot write the findings: {0}")]
    Output(#[from] io::Error),
}

/// Checks all classes of the inputs, and prints the findings. Returns whether all classes are good.
///
/// # Errors
/// An input cannot be read. Then nothing is printed.
pub(crate) fn run(options: &Validate, output: &mut Output) -> Result<bool, ValidateError> {
    let load = Load::parse(options.pods, &options.interval).map_err(ValidateError::Interval)?;
    let mut classes = 0;
    let mut reports = Vec::new();
    for path in files(&options.inputs)? {
        let source = input::source(&path)?;
        let mut findings = Vec::new();
        classes += examine(&source, &options.provider_name, load, &mut findings);
        findings.sort_by_key(|finding| finding.offset);
        if !findings.is_empty() {
            reports.push(Report { source, findings });
        }
    }
    match options.format {
        ReportFormat::Text => {
            let on_terminal = output.is_interactive();
            for report in &reports {
                report::text::print(report, on_terminal, output.result())?;
            }
        }
        ReportFormat::Json => report::json::print(&reports, output.result())?,
        ReportFormat::Sarif => report::sarif::print(&reports, output.result())?,
    }
    let count = |severity| {
        let findings = reports.iter().flat_map(|report| &report.findings);
        findings.filter(|finding| finding.rule.severity() == severity).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if options.format == ReportFormat::Text {
        let classes = counted(classes, "class", "classes");
        let errors = counted(errors, "error", "errors");
        writeln!(output.messages(), "{classes}: {errors}, {}", counted(warnings, "warning", "warnings"))?;
    }
    Ok(errors == 0 && (warnings == 0 || !options.strict))
}

/// Checks the classes of a file, and returns their number.
fn examine(source: &Source, provider: &str, load: Option<Load>, findings: &mut Vec<Finding>) -> usize {
    let mut classes = 0;
    for document in Documents::of(&source.text) {
        let document = match document {
            Ok(document) => document,
            Err(error) => {
                findings.push(Finding {
                    rule: Rule::NotYaml,
                    offset: error.offset,
                    class: None,
                    path: String::new(),
                    message: format!("not YAML: {error}"),
                });
                continue;
            }
        };
        let of_provider =
            Class::all_of(document).into_iter().filter(|class| class.provider() == Some(provider));
        for class in of_provider {
            classes += 1;
            match check::check(&class, source) {
                Ok(spec) => review::spec(&class, &spec, load, findings),
                Err(wrong) => findings.extend(wrong),
            }
            review::text(&class, source, findings);
        }
    }
    classes
}

/// Returns the files of the inputs: directories are searched for YAML.
fn files(inputs: &[PathBuf]) -> Result<BTreeSet<PathBuf>, ValidateError> {
    let mut files = BTreeSet::new();
    for input in inputs {
        if is_stdin(input) || !input.is_dir() {
            files.insert(input.clone());
        } else {
            collect(input, &mut files, 0)?;
        }
    }
    Ok(files)
}

fn collect(directory: &Path, files: &mut BTreeSet<PathBuf>, depth: usize) -> Result<(), ValidateError> {
    let failed = |source| ValidateError::Directory { path: directory.to_owned(), source };
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // Links to directories are not followed: they may lead back.
        if entry.file_type().map_err(failed)?.is_dir() {
            if depth < MAX_DEPTH {
                collect(&path, files, depth + 1)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            files.insert(path);
        }
        if files.len() > MAX_FILES {
            return Err(ValidateError::TooManyFiles { path: directory.to_owned() });
        }
    }
    Ok(())
}

/// Nested directories that are searched.
const MAX_DEPTH: usize = 32;

/// Files that one run checks.
const MAX_FILES: usize = 10_000;

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

//! `validate`: checks SecretProviderClasses before they are applied.

pub(crate) mod check;
pub(crate) mod finding;
pub(crate) mod locate;
mod near_miss;
mod report;
mod review;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::text::one_line;

use self::{
    check::Checked,
    finding::{Finding, Rule, Severity},
    locate::Locator,
    report::Report,
    review::Load,
};
use super::{
    class::{Class, GROUP, node::Documents, source::Source},
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
    /// The inputs have no class of the provider.
    #[error("nothing was checked: no SecretProviderClass of provider {provider} in {inputs}; {action}")]
    NoClass {
        /// `--provider-name`
        provider: String,
        /// The inputs, some of many.
        inputs: String,
        /// What the caller can do.
        action: String,
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
/// An input cannot be read, and then nothing is printed. Or no input has a class of the provider.
pub(crate) fn run(options: &Validate, output: &mut Output) -> Result<bool, ValidateError> {
    let load = Load::parse(options.pods, &options.interval).map_err(ValidateError::Interval)?;
    let paths = files(&options.inputs)?;
    let mut classes = Classes::default();
    let mut reports = Vec::new();
    for path in &paths {
        let source = input::source(path)?;
        let mut findings = Vec::new();
        examine(&source, &options.provider_name, load, &mut classes, &mut findings);
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
    if classes.checked == 0 {
        let others = classes.others();
        let action = match (others.as_str(), reports.is_empty()) {
            ("", false) => "the findings name the reason".to_owned(),
            ("", true) if paths.is_empty() => "directories are searched for *.yaml and *.yml".to_owned(),
            ("", true) if paths.iter().any(|path| is_stdin(path)) => {
                "check that the command in front of the pipe succeeded".to_owned()
            }
            ("", true) => format!("a class has apiVersion {GROUP}/v1 and kind SecretProviderClass"),
            (others, true) => format!("--provider-name selects another provider: {others}"),
            (others, false) => {
                format!("see the findings, or select another provider by --provider-name: {others}")
            }
        };
        let (provider, inputs) = (options.provider_name.clone(), names(&options.inputs));
        return Err(ValidateError::NoClass { provider, inputs, action });
    }
    let count = |severity| {
        let findings = reports.iter().flat_map(|report| &report.findings);
        findings.filter(|finding| finding.rule.severity() == severity).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if options.format == ReportFormat::Text {
        let classes = counted(classes.checked, "class", "classes");
        let errors = counted(errors, "error", "errors");
        writeln!(output.messages(), "{classes}: {errors}, {}", counted(warnings, "warning", "warnings"))?;
    }
    Ok(errors == 0 && (warnings == 0 || !options.strict))
}

/// The classes of all inputs.
#[derive(Debug, Default)]
struct Classes {
    /// The number of those that were checked, since they are of the provider.
    checked: usize,
    /// The providers of those in the driver's group that were not.
    other_providers: BTreeSet<String>,
}

impl Classes {
    /// Returns the other providers, some of many; empty if there is none.
    fn others(&self) -> String {
        let others = self.other_providers.iter().take(MAX_SHOWN).map(|name| one_line(name, MAX_NAME));
        others.collect::<Vec<_>>().join(", ")
    }
}

/// Checks the classes of a file.
fn examine(
    source: &Source,
    provider: &str,
    load: Option<Load>,
    classes: &mut Classes,
    findings: &mut Vec<Finding>,
) {
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
        for class in Class::of_any_group(document) {
            if class.is_of_driver() && class.provider() == Some(provider) {
                classes.checked += 1;
                let locator = Locator::of(&class, source);
                let Checked { spec, errors } = check::check(&class, &locator);
                findings.extend(errors);
                if let Some(spec) = spec {
                    review::spec(&class, &spec, load, findings);
                }
                review::text(&class, &locator, findings);
                continue;
            }
            let near_misses = near_miss::review(&class, provider);
            // The driver reads no other group, whichever provider is selected.
            if near_misses.is_empty() && class.is_of_driver() {
                classes.other_providers.extend(class.provider().map(str::to_owned));
            }
            findings.extend(near_misses);
        }
    }
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

/// Returns the names of the inputs, some of many.
fn names(inputs: &[PathBuf]) -> String {
    let mut names: Vec<String> = inputs.iter().take(MAX_SHOWN).map(|path| input::name(path)).collect();
    if inputs.len() > MAX_SHOWN {
        names.push(format!("{} more", inputs.len() - MAX_SHOWN));
    }
    names.join(", ")
}

/// Names that a message lists.
const MAX_SHOWN: usize = 5;

/// Characters of a provider's name that a message shows.
const MAX_NAME: usize = 60;

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

//! `explain`: what a class reads and needs, in plain words.

mod calls;
mod identity;
mod roles;

use std::io;

use crate::{
    cli,
    spec::{MountSpec, object::ObjectSpec, shape::Shape},
};

use super::{
    class::{
        Class, files,
        node::{Documents, SyntaxError},
        source::Source,
    },
    command::Explain,
    input::{self, InputError},
    output::Output,
    validate::{
        check::{self, Checked},
        locate::Locator,
    },
};

/// A class that could not be explained.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// The file cannot be read.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The file is not YAML.
    #[error("{name}:{position}: not YAML: {error}")]
    Syntax {
        /// The file.
        name: String,
        /// The place of the error.
        position: String,
        /// The reason.
        error: SyntaxError,
    },
    /// The file has no class.
    #[error("{name} has no SecretProviderClass of provider {provider}")]
    NoClass {
        /// The file.
        name: String,
        /// `--provider-name`
        provider: String,
    },
    /// `--interval` is not a duration.
    #[error("--interval {0}")]
    Interval(String),
    /// The result cannot be written.
    #[error("cannot write the explanation: {0}")]
    Output(#[from] io::Error),
}

/// Explains each class of a file. Returns whether all of them are valid.
///
/// # Errors
/// The file cannot be read, or has no class.
pub(crate) fn run(options: &Explain, output: &mut Output) -> Result<bool, ExplainError> {
    let interval = cli::duration(&options.interval).map_err(ExplainError::Interval)?;
    if interval.is_zero() {
        return Err(ExplainError::Interval("must not be zero".to_owned()));
    }
    let source = input::source(&options.file)?;
    let mut all_valid = true;
    let mut classes = 0;
    for document in Documents::of(&source.text) {
        let document = document.map_err(|error| ExplainError::Syntax {
            name: source.name.clone(),
            position: source.position(error.offset).to_string(),
            error,
        })?;
        let of_provider = Class::all_of(document)
            .into_iter()
            .filter(|class| class.provider() == Some(options.provider_name.as_str()));
        for class in of_provider {
            if classes > 0 {
                writeln!(output.result())?;
            }
            classes += 1;
            all_valid &= explain(&class, &source, options.pods, interval, output)?;
        }
    }
    if classes == 0 {
        return Err(ExplainError::NoClass { name: source.name, provider: options.provider_name.clone() });
    }
    Ok(all_valid)
}

fn explain(
    class: &Class,
    source: &Source,
    pods: u32,
    interval: std::time::Duration,
    output: &mut Output,
) -> Result<bool, ExplainError> {
    let out = output.result();
    let namespace = class.namespace().map(|name| format!(" in namespace {name}")).unwrap_or_default();
    writeln!(out, "SecretProviderClass {}{namespace}", class.name().unwrap_or("(unnamed)"))?;
    let spec = match check::check(class, &Locator::of(class, source)) {
        Checked { spec: Some(spec), errors } if errors.is_empty() => spec,
        Checked { errors, .. } => {
            for finding in errors {
                writeln!(out, "  error: {}", finding.text())?;
            }
            writeln!(out, "  a pod with this class does not start; akv-provider validate shows the places")?;
            return Ok(false);
        }
    };
    heading(out, "reads")?;
    let objects = spec.objects.iter().map(|object| (object.to_string(), calls::versions(object)));
    let finds = spec.finds.iter().map(|find| {
        (find.to_string(), format!("the newest version of each that is found: {}", find.conditions))
    });
    table(out, &objects.chain(finds).collect::<Vec<_>>())?;
    writeln!(out, "  from vault {}, unless an object names another one", spec.vault)?;
    if let Some(other) = &spec.failover {
        writeln!(out, "  a new pod reads from vault {other} where {} cannot be reached", spec.vault)?;
    }
    heading(out, "as")?;
    identity::write(&spec, class.namespace(), out)?;
    heading(out, "into files")?;
    table(out, &file_rows(&spec))?;
    heading(out, "with roles")?;
    roles::write(&spec, out)?;
    heading(out, "with calls")?;
    calls::write(&spec, pods, interval, out)?;
    Ok(true)
}

fn heading(out: &mut dyn io::Write, words: &str) -> io::Result<()> {
    const BOLD: anstyle::Style = anstyle::Style::new().bold();
    writeln!(out, "{BOLD}{words}{BOLD:#}")
}

/// Writes two aligned columns.
fn table(out: &mut dyn io::Write, rows: &[(String, String)]) -> io::Result<()> {
    let width = rows.iter().map(|(first, _)| first.chars().count()).max().unwrap_or(0);
    rows.iter().try_for_each(|(first, second)| writeln!(out, "  {first:width$}  {second}"))
}

fn file_rows(spec: &MountSpec) -> Vec<(String, String)> {
    let of_objects = spec
        .objects
        .iter()
        .flat_map(|object| files::expected(object).into_iter().map(move |file| (source_of(object), file)));
    let of_finds = spec.finds.iter().map(|find| (find.to_string(), files::of_found(find)));
    of_objects
        .chain(of_finds)
        .map(|(source, file)| {
            let mode = file.mode.unwrap_or(spec.default_mode);
            let miss = if file.may_miss { "; may be absent" } else { "" };
            (file.name.to_string(), format!("{mode}  of {source}{miss}"))
        })
        .collect()
}

/// Returns what a file of an entry is made of.
fn source_of(object: &ObjectSpec) -> String {
    match &object.shape {
        Shape::Item(item) => format!("{} items", item.file.items),
        Shape::File(_) | Shape::Keys(_) | Shape::Outputs(_) | Shape::Password => object.to_string(),
    }
}

//! Prints a trial: steps as they happen, and the result at its end.

use std::{
    io::{self, Write},
    path::Path,
};

use anstyle::{AnsiColor, Style};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    super::pod_token::{PodToken, span, timestamp},
    phase::Phase,
    report::{FailureReport, FileReport, ObjectReport},
    step::{Address, Certificate, Outcome, Step},
};

const BAD: Style = AnsiColor::Red.on_default();

/// Prints the class, and the token with its claims.
pub(super) fn head(
    class: &str,
    token: Option<&PodToken>,
    now: OffsetDateTime,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "class {class}")?;
    let Some(PodToken { issuer, subject, audience, expires }) = token else { return Ok(()) };
    writeln!(out, "  pod token  subject {subject}")?;
    writeln!(out, "             issuer {issuer}")?;
    writeln!(out, "             audience {audience}")?;
    match expires {
        Some(at) => writeln!(out, "             expires {}, in {}", timestamp(*at), span(*at - now)),
        None => writeln!(out, "             has no expiry"),
    }
}

/// Prints one step.
pub(super) fn step(step: &Step, out: &mut dyn Write) -> io::Result<()> {
    let Step { phase, host, milliseconds, outcome } = step;
    let what = match outcome {
        Outcome::Addresses { addresses } => {
            let shown: Vec<String> = addresses.iter().map(address).collect();
            format!("{host}: {}", shown.join(", "))
        }
        Outcome::Tunnel { proxy } => format!("{host}: through {proxy}"),
        Outcome::Connection { address } => {
            let address = address.map(|address| address.to_string());
            format!("{host}: connected to {}", address.as_deref().unwrap_or("an address that is gone"))
        }
        Outcome::Certificate(shown) => format!("{host}: {}", certificate(shown)),
        Outcome::Answer { method, path, status, bytes } => {
            format!("{method} {host}{path}: {status}{}, {bytes} bytes", verdict(*phase, *status))
        }
        Outcome::NoAnswer { method, path, error } => format!("{method} {host}{path}: {error}"),
        Outcome::NoConnection { error, certificate: None } => format!("{host}: {error}"),
        Outcome::NoConnection { error, certificate: Some(shown) } => {
            format!("{host}: {error}; {}", certificate(shown))
        }
    };
    match step.failed() {
        true => writeln!(out, "{BAD}! {phase:9}  {what}, {milliseconds} ms{BAD:#}"),
        false => writeln!(out, "  {phase:9}  {what}, {milliseconds} ms"),
    }
}

/// Returns what a status means where the number alone does not say it.
fn verdict(phase: Phase, status: u16) -> &'static str {
    match (phase, status) {
        (Phase::Token, 200..=299) => " (token issued)",
        (Phase::Token, 400..=499) => " (token refused)",
        (Phase::Challenge, 401) => " (challenge, as expected)",
        (_, 300..=399) => " (redirect, not followed)",
        (_, 429) => " (throttled)",
        _ => "",
    }
}

fn certificate(shown: &Certificate) -> String {
    let Certificate { subject, issuer, expires } = shown;
    let expires = expires.map(timestamp);
    let expires = expires.as_deref().unwrap_or("at an unreadable time");
    format!("certificate of {subject}, issued by {issuer}, expires {expires}")
}

fn address(of: &Address) -> String {
    format!("{}{}", of.address, if of.private { " (private)" } else { "" })
}

/// Prints the objects that were read.
pub(super) fn objects(objects: &[ObjectReport], out: &mut dyn Write) -> io::Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    writeln!(out, "objects")?;
    // The host tells objects of equal names apart, where a class reads several vaults.
    let of_one_host = objects.iter().all(|object| object.host == objects[0].host);
    let name = |object: &ObjectReport| match of_one_host {
        true => object.id.clone(),
        false => format!("{} of {}", object.id, object.host),
    };
    let width = objects.iter().map(|object| name(object).len()).max().unwrap_or(0);
    for object in objects {
        let ObjectReport { status, versions, bytes, requests, milliseconds, .. } = object;
        let name = name(object);
        let status = status.map_or("---".to_owned(), |status| status.to_string());
        let versions = match &versions[..] {
            // A find lists all objects of a type.
            [] if object.id.ends_with("/*") => "list".to_owned(),
            [] => "no version".to_owned(),
            [one] => format!("version {one}"),
            [newest, ..] => format!("version {newest} and {} older", versions.len() - 1),
        };
        let requests = if *requests == 1 { String::new() } else { format!(", {requests} requests") };
        writeln!(out, "  {name:width$}  {status}  {versions}  {bytes} bytes  {milliseconds} ms{requests}")?;
    }
    Ok(())
}

/// Prints the files that the pod would get, and where they were written.
pub(super) fn files(files: &[FileReport], written: Option<&Path>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "files")?;
    let width = files.iter().map(|file| file.path.len()).max().unwrap_or(0);
    for FileReport { path, mode, kind, bytes } in files {
        writeln!(out, "  {path:width$}  {mode}  {bytes} bytes  {kind}")?;
    }
    if let Some(directory) = written {
        writeln!(out, "written to {}, each with mode 0600", directory.display())?;
    }
    writeln!(out, "the pod would start with {} file{}", files.len(), if files.len() == 1 { "" } else { "s" })
}

/// Prints the phase that failed, and the pod's message.
pub(super) fn failure(failure: &FailureReport, out: &mut dyn Write) -> io::Result<()> {
    let FailureReport { grpc, phase, host, message, .. } = failure;
    let host = host.as_ref().map(|host| format!(" of {host}")).unwrap_or_default();
    writeln!(out, "{BAD}failed phase: {phase}{host}{BAD:#}")?;
    writeln!(out, "the pod would wait with this message ({grpc}):\n{message}")
}

/// A whole trial, for JSON.
pub(super) struct Trial<'a> {
    pub(super) class: &'a str,
    pub(super) token: Option<&'a PodToken>,
    pub(super) steps: &'a [Step],
    pub(super) objects: &'a [ObjectReport],
    pub(super) outcome: Result<&'a [FileReport], &'a FailureReport>,
    pub(super) written: Option<&'a Path>,
}

/// Prints one JSON object.
pub(super) fn json(trial: &Trial<'_>, out: &mut dyn Write) -> io::Result<()> {
    let value = json!({
        "class": trial.class,
        "mounted": trial.outcome.is_ok(),
        "token": trial.token,
        "steps": trial.steps,
        "objects": trial.objects,
        "files": trial.outcome.unwrap_or_default(),
        "failure": trial.outcome.err(),
        "writtenTo": trial.written,
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}

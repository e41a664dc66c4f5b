//! Prints a comparison.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::json;
use tonic::Status;

use crate::server::endpoint::Endpoint;

use super::{
    super::output::Output,
    Outcome,
    difference::{Difference, FileDigest, Pair},
};

const BAD: Style = AnsiColor::Red.on_default();

/// Prints lines for people.
pub(super) fn text(class: &str, other: &Endpoint, outcome: &Outcome, output: &mut Output) -> io::Result<()> {
    let out = output.result();
    writeln!(out, "class {class}: this provider (<) and {other} (>)")?;
    match outcome {
        Outcome::Both(difference) => volumes(difference, out),
        Outcome::Failed { here, there } => {
            failure(out, "<", here.as_ref())?;
            failure(out, ">", there.as_ref())?;
            let summary = match (here, there) {
                (Some(_), Some(_)) => "both providers fail: there is nothing to compare",
                (Some(_), None) => "this provider fails where the other one succeeds",
                (None, _) => "the other provider fails where this one succeeds",
            };
            writeln!(out, "{BAD}{summary}{BAD:#}")
        }
    }
}

fn failure(out: &mut dyn Write, side: &str, status: Option<&Status>) -> io::Result<()> {
    match status {
        Some(status) => {
            writeln!(out, "  {side} {:?}: {}", status.code(), status.message().replace('\n', " "))
        }
        None => writeln!(out, "  {side} mounted"),
    }
}

fn volumes(difference: &Difference, out: &mut dyn Write) -> io::Result<()> {
    let width = difference.files.keys().chain(difference.versions.keys()).map(String::len).max().unwrap_or(0);
    for (path, pair) in &difference.files {
        file(out, path, width, pair)?;
    }
    for (id, pair) in &difference.versions {
        let (here, there) = (shown(pair.here.as_deref()), shown(pair.there.as_deref()));
        match pair.is_same() {
            true => writeln!(out, "  = {id:width$}  version {here}")?,
            false => writeln!(out, "{BAD}  ! {id:width$}  < version {here}  > version {there}{BAD:#}")?,
        }
    }
    let (files, different) = (difference.files.len(), difference.different_files());
    match (difference.is_none(), different) {
        (true, _) => writeln!(out, "the same: {files} files"),
        (false, 0) => writeln!(out, "{BAD}the files are the same, the versions differ{BAD:#}"),
        (false, _) => writeln!(out, "{BAD}{different} of {files} files differ{BAD:#}"),
    }
}

fn file(out: &mut dyn Write, path: &str, width: usize, pair: &Pair<FileDigest>) -> io::Result<()> {
    let line = match (&pair.here, &pair.there) {
        (Some(here), Some(there)) if here == there => {
            return writeln!(out, "  = {path:width$}  {}  {} bytes", here.mode, here.bytes);
        }
        (Some(here), Some(there)) => {
            let mut what = Vec::new();
            if here.mode != there.mode {
                what.push(format!("mode < {} > {}", here.mode, there.mode));
            }
            if here.bytes != there.bytes {
                what.push(format!("bytes < {} > {}", here.bytes, there.bytes));
            }
            if here.hash != there.hash {
                what.push(format!("contents < {} > {}", here.hash, there.hash));
            }
            what.join(", ")
        }
        (Some(here), None) => format!("only < {} {} bytes", here.mode, here.bytes),
        (None, Some(there)) => format!("only > {} {} bytes", there.mode, there.bytes),
        (None, None) => String::new(),
    };
    writeln!(out, "{BAD}  ! {path:width$}  {line}{BAD:#}")
}

fn shown(version: Option<&str>) -> &str {
    match version {
        None => "(none)",
        Some("") => "(empty)",
        Some(version) => version,
    }
}

/// Prints one JSON object.
pub(super) fn json(class: &str, other: &Endpoint, outcome: &Outcome, output: &mut Output) -> io::Result<()> {
    let failed = |status: &Option<Status>| {
        status
            .as_ref()
            .map(|status| json!({ "code": format!("{:?}", status.code()), "message": status.message() }))
    };
    let value = match outcome {
        Outcome::Both(difference) => json!({
            "class": class, "other": other.to_string(), "same": difference.is_none(),
            "files": difference.files, "versions": difference.versions,
        }),
        Outcome::Failed { here, there } => json!({
            "class": class, "other": other.to_string(), "same": false,
            "failed": { "here": failed(here), "there": failed(there) },
        }),
    };
    writeln!(output.result(), "{value:#}")
}

//! Reads files and standard input within limits.

use std::{
    fs::File,
    io::{self, Read, stdin},
    path::{Path, PathBuf},
};

use crate::spec::sensitive::Sensitive;

use super::class::source::Source;

/// An input that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The file cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file is larger than a limit.
    #[error("cannot read {}: it is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is not text.
    #[error("cannot read {}: it is not UTF-8 text", path.display())]
    Binary {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file of YAML; `-` is standard input.
///
/// # Errors
/// The file cannot be read, is too large, or is not text.
pub(crate) fn source(path: &Path) -> Result<Source, InputError> {
    let bytes = read(path, MAX_SOURCE)?;
    let text = String::from_utf8(bytes).map_err(|_| InputError::Binary { path: path.to_owned() })?;
    if text.contains('\0') {
        return Err(InputError::Binary { path: path.to_owned() });
    }
    Ok(Source::new(name(path), text))
}

/// Returns the name of an input in messages.
pub(crate) fn name(path: &Path) -> String {
    if is_stdin(path) { "<stdin>".to_owned() } else { path.display().to_string() }
}

/// Reads a token or a secret without the line end behind it; `-` is standard input.
///
/// # Errors
/// The file cannot be read, is too large, or is not text.
pub(crate) fn secret(path: &Path) -> Result<Sensitive<String>, InputError> {
    let text = String::from_utf8(read(path, MAX_SECRET)?)
        .map(Sensitive::new)
        .map_err(|_| InputError::Binary { path: path.to_owned() })?;
    Ok(Sensitive::new(text.expose().trim_end_matches(['\r', '\n']).to_owned()))
}

/// Returns whether a path means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, InputError> {
    let unreadable = |source| InputError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let mut reader: Box<dyn Read> = if is_stdin(path) {
        Box::new(stdin().lock())
    } else {
        Box::new(File::open(path).map_err(unreadable)?)
    };
    reader.by_ref().take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(InputError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

/// The largest file of YAML, in bytes: every class of a large cluster fits.
const MAX_SOURCE: u64 = 256 << 20;

/// The largest token or secret, in bytes.
const MAX_SECRET: u64 = 1 << 20;

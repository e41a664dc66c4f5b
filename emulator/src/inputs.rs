//! What the command line names, read from files and URLs.

use std::{error::Error, fs, io, path::Path, time::Duration};

use akv_emulator::{Keys, TrustedIssuer};

use crate::args::{AuthorityFiles, IssuerSource, KeySetSource};

/// A file that the command line names cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{verb} {path}")]
pub(crate) struct FileError {
    verb: &'static str,
    path: String,
    source: io::Error,
}

/// The keys of an issuer cannot be fetched.
#[derive(Debug, thiserror::Error)]
#[error("fetch the keys of issuer '{issuer}'")]
struct FetchError {
    issuer: String,
    source: reqwest::Error,
}

impl FileError {
    pub(crate) fn new(verb: &'static str, path: &Path, source: io::Error) -> Self {
        Self { verb, path: path.display().to_string(), source }
    }
}

pub(crate) fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::new("read", path, source))
}

pub(crate) fn keys(files: &AuthorityFiles) -> Result<Keys, Box<dyn Error>> {
    Ok(Keys::with_authority(&read(&files.certificate)?, &read(&files.key)?)?)
}

/// Reads the keys of an issuer, once: an issuer that changes its keys needs a restart.
pub(crate) async fn trusted_issuer(source: &IssuerSource) -> Result<TrustedIssuer, Box<dyn Error>> {
    let key_set = match &source.key_set {
        KeySetSource::File(path) => read(path)?,
        KeySetSource::Url(url) => {
            let fetched = fetch(url).await;
            fetched.map_err(|error| FetchError { issuer: source.url.clone(), source: error })?
        }
    };
    Ok(TrustedIssuer::parse(&source.url, &key_set)?)
}

async fn fetch(url: &str) -> reqwest::Result<String> {
    let client = reqwest::Client::builder().timeout(FETCH_TIMEOUT).build()?;
    client.get(url).send().await?.error_for_status()?.text().await
}

const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

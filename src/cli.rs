//! The command line, as Go's flag package reads it, so that the arguments of today's DaemonSet go on working.

use std::time::Duration;

use crate::{
    app::Config, cloud::CloudDefaults, content::chain::ChainOrder, mount::MountSettings,
    server::endpoint::Endpoint, spec::cloud::CloudName,
};

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run the provider.
    Serve(Config),
    /// Print the version.
    Version,
    /// Print how to use it.
    Help,
}

/// What else the process was given: the environment, read once in `main`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `AZURE_ENVIRONMENT_FILEPATH`
    pub cloud_file: Option<std::path::PathBuf>,
}

/// A command line that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No such flag.
    #[error("unknown flag {0}")]
    Unknown(String),
    /// A flag at the end that needs a value.
    #[error("flag {0} needs a value")]
    NoValue(String),
    /// A value that the flag cannot take.
    #[error("flag {flag}: {reason}")]
    Value {
        /// The flag.
        flag: String,
        /// Why not.
        reason: String,
    },
    /// Something that is no flag.
    #[error("unexpected argument {0:?}")]
    Surplus(String),
}

/// How to use the provider.
pub const USAGE: &str = "\
Azure Key Vault provider for the Secrets Store CSI driver

Usage: akv-provider [--endpoint ENDPOINT]

  --endpoint ENDPOINT  where the driver finds the provider: unix:///path or tcp://host:port
                       (default unix:///tmp/azure.sock)
  --version            print the version and exit
  --help               print this and exit

Environment: AZURE_ENVIRONMENT_FILEPATH (cloud environment file for AzureStackCloud), SSL_CERT_FILE, HTTPS_PROXY,
NO_PROXY.
";

/// Where the provider listens unless told otherwise.
const DEFAULT_ENDPOINT: &str = "unix:///tmp/azure.sock";

/// How long one mount may take: well within the two minutes that kubelet waits.
const MOUNT_BUDGET: Duration = Duration::from_secs(90);

/// Reads the arguments, without the program's name. Flags take one dash or two, and their value behind `=` or as the
/// next argument; the last of several wins.
///
/// # Errors
/// The first argument that cannot be followed.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    environment: Environment,
) -> Result<Command, UsageError> {
    let mut arguments = arguments.into_iter();
    let mut endpoint = DEFAULT_ENDPOINT.to_owned();
    while let Some(argument) = arguments.next() {
        let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else {
            return Err(UsageError::Surplus(argument));
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        match name {
            "endpoint" => {
                endpoint = value
                    .or_else(|| arguments.next())
                    .ok_or_else(|| UsageError::NoValue(argument.clone()))?;
            }
            "version" => return Ok(Command::Version),
            "help" | "h" => return Ok(Command::Help),
            _ => return Err(UsageError::Unknown(argument)),
        }
    }
    let endpoint: Endpoint = endpoint.parse().map_err(|error| UsageError::Value {
        flag: "--endpoint".to_owned(),
        reason: format!("{error}"),
    })?;
    Ok(Command::Serve(Config {
        endpoint,
        mounts: MountSettings {
            clouds: CloudDefaults {
                cloud: CloudName::Public,
                file: environment.cloud_file,
            },
            chain_order: ChainOrder::default(),
            budget: MOUNT_BUDGET,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(arguments: &[&str]) -> Result<String, UsageError> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        match parse(arguments, Environment::default())? {
            Command::Serve(config) => Ok(config.endpoint.to_string()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn flags_take_one_dash_or_two_and_their_value_either_way() {
        assert_eq!(endpoint(&[]).unwrap(), "unix:///tmp/azure.sock");
        for arguments in [
            &["--endpoint=unix:///a.sock"][..],
            &["-endpoint=unix:///a.sock"],
            &["--endpoint", "unix:///a.sock"],
            &["-endpoint", "unix:///a.sock"],
            &["--endpoint=tcp://h:1", "--endpoint", "unix:///a.sock"],
        ] {
            assert_eq!(endpoint(arguments).unwrap(), "unix:///a.sock", "{arguments:?}");
        }
    }

    #[test]
    fn a_command_line_that_cannot_be_followed_is_refused() {
        for (arguments, mention) in [
            (&["--endpoints=x"][..], "--endpoints=x"),
            (&["--endpoint"], "needs a value"),
            (&["--endpoint=/a.sock"], "unix:///"),
            (&["serve"], "serve"),
        ] {
            let message = endpoint(arguments).unwrap_err().to_string();
            assert!(message.contains(mention), "{message}");
        }
    }
}

//! The command line, as Go's flag package reads it, so that the arguments of today's DaemonSet go on working.

mod duration;
mod flags;
mod go;
mod settings;
mod value;

pub use self::{
    flags::{FLAGS, Flag, usage},
    settings::{Config, Environment, LogFormat, LogSettings},
};

use self::{go::Token, settings::Settings};

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run the provider.
    Serve(Box<Config>),
    /// Print the version, as JSON.
    Version,
    /// Print how to use it.
    Help,
}

/// A command line that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// No such flag.
    #[error("unknown flag {given}{}", nearest.map(|name| format!("; did you mean --{name}?")).unwrap_or_default())]
    Unknown {
        /// As it was given.
        given: String,
        /// The flag that looks most like it.
        nearest: Option<&'static str>,
    },
    /// A flag at the end that needs a value.
    #[error("flag --{0} needs a value")]
    NoValue(&'static str),
    /// A value that the flag cannot take.
    #[error("flag --{flag}: {value:?} {reason}")]
    Value {
        /// The flag.
        flag: &'static str,
        /// What it was given.
        value: String,
        /// Why not.
        reason: String,
    },
    /// Something that is no flag. Go would stop reading there, and leave all flags behind it without effect.
    #[error("unexpected argument {0:?}; a value of a boolean flag goes behind \"=\"")]
    Surplus(String),
}

/// Reads the arguments, without the program's name. The last of several values wins.
///
/// # Errors
/// The first argument that cannot be followed.
pub fn parse(
    arguments: impl IntoIterator<Item = String>,
    environment: Environment,
) -> Result<Command, UsageError> {
    let mut settings = Settings::default();
    for token in go::Tokens::new(arguments.into_iter()) {
        let Token { flag, value } = token?;
        match flag.name {
            "help" | "h" => return Ok(Command::Help),
            "version" if value::boolean(&value) == Ok(true) => return Ok(Command::Version),
            _ => (flag.set)(&mut settings, flag.name, &value).map_err(|reason| UsageError::Value {
                flag: flag.name,
                value,
                reason,
            })?,
        }
    }
    Ok(Command::Serve(Box::new(settings.config(environment))))
}

#[cfg(test)]
mod tests;

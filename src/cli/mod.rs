//! The command line, by the rules of Go's flag package, so that provider-azure's arguments stay valid.

mod duration;
mod flags;
mod go;
mod settings;
mod value;

pub use self::{
    flags::{FLAGS, Flag, usage},
    settings::{Config, Environment, LogFormat, LogSettings},
};

pub(crate) use self::duration::parse as duration;

use self::{go::Token, settings::Settings};

/// A command of the command line.
#[derive(Debug)]
pub enum Command {
    /// Run the provider.
    Serve(Box<Config>),
    /// Print the version, as JSON.
    Version,
    /// Print the usage text.
    Help,
}

/// An error of an invalid command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// The flag does not exist.
    #[error("unknown flag {given}{}", nearest.map(|name| format!("; did you mean --{name}?")).unwrap_or_default())]
    Unknown {
        /// The argument as given.
        given: String,
        /// The most similar flag.
        nearest: Option<&'static str>,
    },
    /// The last flag needs a value and has none.
    #[error("flag --{0} needs a value")]
    NoValue(&'static str),
    /// The value is invalid for the flag.
    #[error("flag --{flag}: {value:?} {reason}")]
    Value {
        /// The name of the flag.
        flag: &'static str,
        /// The value as given.
        value: String,
        /// The reason, as the predicate of a sentence about the value.
        reason: String,
    },
    /// The argument is not a flag. Go would stop parsing there, and all flags behind it would have no effect.
    #[error("unexpected argument {0:?}; a value of a boolean flag goes behind \"=\"")]
    Surplus(String),
}

/// Parses the arguments, without the program's name. If a flag is given several times, the last value counts.
///
/// # Errors
/// The first invalid argument.
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

//! The subcommands: tools for the people that write, review and debug SecretProviderClasses.
//!
//! They share the provider's parser, its mounts and its messages. Nothing here runs while the provider serves.

mod class;
mod command;
mod compare;
mod explain;
mod in_process;
mod input;
mod output;
mod pod_token;
mod request;
mod schema;
mod scripts;
mod try_mount;
mod validate;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, error::ErrorKind};
use time::OffsetDateTime;

use crate::{cli, transport::Proxy};

use self::{
    command::{CommandLine, Tool},
    compare::CompareError,
    explain::ExplainError,
    output::Output,
    scripts::ScriptError,
    try_mount::TryError,
    validate::ValidateError,
};

/// What a tool takes from the process's environment.
#[derive(Debug)]
pub struct Environment {
    /// The environment of the provider's flags.
    pub cli: cli::Environment,
    /// The proxy to Azure.
    pub proxy: Proxy,
}

/// Returns whether a first argument names a tool, or asks for the help of one.
pub fn is_tool(argument: &str) -> bool {
    // Without the tools' command line for the provider's flags: the code that builds it takes a megabyte of memory.
    !argument.starts_with('-')
        && (argument == "help"
            || CommandLine::command().get_subcommands().any(|tool| tool.get_name() == argument))
}

/// Returns the part of the provider's usage text that lists the tools.
pub fn usage() -> String {
    let command = CommandLine::command();
    let mut text = String::from("\nTools, each with its own --help:\n\n");
    for tool in command.get_subcommands() {
        let about = tool.get_about().map(ToString::to_string).unwrap_or_default();
        text += &format!("  akv-provider {:12} {about}\n", tool.get_name());
    }
    text
}

/// Why a tool could not do its work: exit code 2.
#[derive(Debug, thiserror::Error)]
enum ToolError {
    #[error(transparent)]
    Compare(#[from] CompareError),
    #[error(transparent)]
    Try(#[from] TryError),
    #[error(transparent)]
    Validate(#[from] ValidateError),
    #[error(transparent)]
    Explain(#[from] ExplainError),
    #[error("cannot write the schema: {0}")]
    Schema(std::io::Error),
    #[error(transparent)]
    Script(#[from] ScriptError),
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

/// Runs the tool that the arguments name. The program's name is not among them.
///
/// The exit code is 0 for a good result, 1 for a bad one, and 2 if there is none.
pub fn run(
    arguments: impl IntoIterator<Item = String>,
    environment: impl FnOnce() -> Environment,
) -> ExitCode {
    let arguments = std::iter::once("akv-provider".to_owned()).chain(arguments);
    let command_line = match CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(message) => {
            let asked_for = matches!(message.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed terminal changes nothing.
            let _ = message.print();
            return if asked_for { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    let mut output = Output::of_process();
    match run_tool(command_line.tool, environment, &mut output) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output.ready();
            let _ = writeln!(output.messages(), "akv-provider: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs a tool. Returns whether its result is good.
fn run_tool(
    tool: Tool,
    environment: impl FnOnce() -> Environment,
    output: &mut Output,
) -> Result<bool, ToolError> {
    match tool {
        Tool::Validate(options) => Ok(validate::run(&options, output)?),
        Tool::Try(options) => {
            let now = OffsetDateTime::now_utc();
            Ok(wait_for(try_mount::run(&options, environment(), now, output))??)
        }
        Tool::Compare(options) => Ok(wait_for(compare::run(&options, environment(), output))??),
        Tool::Explain(options) => Ok(explain::run(&options, output)?),
        Tool::Schema(options) => {
            schema::run(&options, output).map_err(ToolError::Schema)?;
            Ok(true)
        }
        Tool::Completions(options) => {
            scripts::completions(options.shell, &mut CommandLine::command(), output)?;
            Ok(true)
        }
        Tool::Man(options) => {
            scripts::manual(&options.directory, CommandLine::command(), output)?;
            Ok(true)
        }
    }
}

/// Runs a future on a thread like the provider's own.
fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, ToolError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ToolError::Runtime)?;
    Ok(runtime.block_on(work))
}

//! Completion scripts and manual pages, from the same definitions as the tools' own help.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::Command;
use clap_mangen::Man;

use super::{command::Shell, output::Output};

/// A script or page that cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ScriptError {
    /// The script cannot be printed.
    #[error("cannot write the script: {0}")]
    Script(io::Error),
    /// A page cannot be written.
    #[error("cannot write the manual page {}: {source}", path.display())]
    Page {
        /// The page's file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// Prints a completion script.
///
/// # Errors
/// The result cannot be written.
pub(crate) fn completions(
    shell: Shell,
    command: &mut Command,
    output: &mut Output,
) -> Result<(), ScriptError> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "akv-provider", &mut script);
    output.result().write_all(&script).map_err(ScriptError::Script)
}

/// Writes a manual page for the program and for each tool into a directory, and prints their names.
///
/// # Errors
/// The directory cannot be created, or a page cannot be written.
pub(crate) fn manual(directory: &Path, mut command: Command, output: &mut Output) -> Result<(), ScriptError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ScriptError::Page { path, source }
    };
    std::fs::create_dir_all(directory).map_err(failed(directory))?;
    command.build();
    let tools: Vec<Command> = command
        .get_subcommands()
        .filter(|tool| tool.get_name() != "help")
        .map(|tool| {
            tool.clone().name(format!("akv-provider-{}", tool.get_name())).disable_help_subcommand(true)
        })
        .collect();
    for page in std::iter::once(command).chain(tools) {
        let path = directory.join(format!("{}.1", page.get_name()));
        let mut text = Vec::new();
        Man::new(page).render(&mut text).map_err(failed(&path))?;
        std::fs::write(&path, text).map_err(failed(&path))?;
        writeln!(output.result(), "{}", path.display()).map_err(failed(&path))?;
    }
    Ok(())
}

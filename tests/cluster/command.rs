//! Other programs: `kubectl`, `helm`, and shell scripts.

use std::{
    ffi::OsStr,
    io::Write as _,
    process::{Command, Stdio},
};

use thiserror::Error;

/// A program that ended with an error, or did not start.
#[derive(Debug, Error)]
#[error("{command}: {reason}")]
pub(crate) struct CommandError {
    command: String,
    pub(crate) reason: String,
}

/// Runs a program with this input and returns its output.
pub(crate) fn run(command: &mut Command, input: &str) -> Result<String, CommandError> {
    let failed = |command: &Command, reason: String| CommandError { command: shown(command), reason };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| failed(command, error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read everything says why itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(command, error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(failed(command, text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Returns the program's name and its first arguments.
fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).take(6).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_its_input_and_its_error_is_one_line() {
        assert_eq!(run(&mut Command::new("cat"), "text").expect("it ends well"), "text");
        let mut failing = Command::new("sh");
        failing.args(["-c", "printf 'two\\nlines\\n' >&2; exit 1"]);
        let error = run(&mut failing, "").expect_err("it fails");
        assert_eq!(error.reason, "two lines");
        assert!(run(&mut Command::new("no-such-program"), "").is_err());
    }
}

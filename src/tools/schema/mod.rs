//! `schema`: what a class may hold, for editors and for the API server.

mod forms;
mod json_schema;
mod policy;

use std::io;

use super::{command::Schema, output::Output};

/// Prints a JSON Schema, or an admission policy with its binding.
///
/// # Errors
/// The stream cannot be written.
pub(crate) fn run(options: &Schema, output: &mut Output) -> io::Result<()> {
    let out = output.result();
    if options.policy {
        write!(out, "{}", policy::yaml(&options.provider_name))
    } else {
        writeln!(out, "{:#}", json_schema::class())
    }
}

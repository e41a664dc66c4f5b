//! Where tools print: results on one stream, and progress and errors on the other.

use std::io::{IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

/// The streams of a tool. Colours are removed where the stream is not a terminal, or `NO_COLOR` is set.
pub(crate) struct Output {
    result: Box<dyn Write>,
    messages: Box<dyn Write>,
    interactive: bool,
}

impl Output {
    /// Returns the streams of this process.
    pub(crate) fn of_process() -> Self {
        Self {
            result: Box::new(AutoStream::new(std::io::stdout(), ColorChoice::Auto)),
            messages: Box::new(AutoStream::new(std::io::stderr(), ColorChoice::Auto)),
            interactive: std::io::stdout().is_terminal() && std::io::stderr().is_terminal(),
        }
    }

    /// Returns the stream of results.
    pub(crate) fn result(&mut self) -> &mut dyn Write {
        &mut *self.result
    }

    /// Returns the stream of progress and errors.
    pub(crate) fn messages(&mut self) -> &mut dyn Write {
        &mut *self.messages
    }

    /// Returns whether results go to a terminal.
    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Shows what the tool waits for, on a terminal alone. The next line replaces it.
    pub(crate) fn waiting(&mut self, what: &str) {
        if self.interactive {
            // A terminal that is gone shows no progress.
            let _ = write!(self.messages, "\r\x1b[2K{what}…").and_then(|()| self.messages.flush());
        }
    }

    /// Removes the line of [`Output::waiting`].
    pub(crate) fn ready(&mut self) {
        if self.interactive {
            let _ = write!(self.messages, "\r\x1b[2K").and_then(|()| self.messages.flush());
        }
    }
}

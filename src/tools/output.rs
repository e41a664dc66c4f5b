//! Where tools print: results on one stream, and progress and errors on the other.

use std::io::{self, ErrorKind, IsTerminal, Write};

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
            result: Box::new(WhileRead::new(AutoStream::new(io::stdout(), ColorChoice::Auto))),
            messages: Box::new(AutoStream::new(io::stderr(), ColorChoice::Auto)),
            interactive: io::stdout().is_terminal() && io::stderr().is_terminal(),
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

/// Discards what nobody reads any more, such as the rest of a long table in front of `head`. The tool's exit code is
/// then still that of its result.
struct WhileRead<W> {
    inner: W,
    is_read: bool,
}

impl<W: Write> WhileRead<W> {
    fn new(inner: W) -> Self {
        Self { inner, is_read: true }
    }

    fn unless_closed<T>(&mut self, result: io::Result<T>, discarded: T) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_read = false;
                Ok(discarded)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for WhileRead<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_read {
            return Ok(bytes.len());
        }
        let result = self.inner.write(bytes);
        self.unless_closed(result, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.is_read {
            return Ok(());
        }
        let result = self.inner.flush();
        self.unless_closed(result, ())
    }
}

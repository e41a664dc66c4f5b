//! A message under construction: one line, cut where it is too long.

/// The shortest excerpt of Azure's words that is worth showing, in bytes.
const MIN_WORDS_BYTES: usize = 60;

/// A single line of at most `room` bytes.
pub(super) struct Line {
    pub(super) text: String,
    room: usize,
    destination: Destination,
    /// Whether a part was truncated or left out.
    pub(super) is_cut: bool,
}

/// Where a line goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// The answer to the driver, which shows the first names.
    Answer,
    /// The log, which shows all names that there is room for.
    Log,
}

impl Line {
    /// Returns the beginning of a line for the answer to the driver.
    pub(super) fn new(text: String, room: usize) -> Self {
        Self { text, room, destination: Destination::Answer, is_cut: false }
    }

    /// Returns the beginning of a line for the log.
    pub(super) fn of_log(text: String, room: usize) -> Self {
        Self { text, room, destination: Destination::Log, is_cut: false }
    }

    pub(super) fn destination(&self) -> Destination {
        self.destination
    }

    /// Appends the beginning of a message, truncated if it alone is too long.
    pub(super) fn head(mut self, text: &str) -> Self {
        self.text.push_str(text);
        if self.text.len() > self.room {
            self.text.truncate(self.text.floor_char_boundary(self.room - '…'.len_utf8()));
            self.text.push('…');
            self.is_cut = true;
        }
        self
    }

    /// Appends a further part if it fits and leaves `reserve` bytes. Returns whether it fitted.
    pub(super) fn part(&mut self, text: &str, reserve: usize) -> bool {
        let fits = self.text.len().saturating_add(text.len() + 2 + reserve) <= self.room;
        if fits && !text.is_empty() {
            self.text.push_str("; ");
            self.text.push_str(text);
        }
        self.is_cut |= !fits;
        fits
    }

    pub(super) fn detail(mut self, text: &str) -> Self {
        self.part(text, 0);
        self
    }

    /// Appends the service's own words, truncated if they are too long.
    pub(super) fn words(mut self, introduction: &str, words: &str) -> Self {
        if words.is_empty() {
            return self;
        }
        let text = format!("; {introduction}: {words}");
        let left = self.room.saturating_sub(self.text.len());
        if text.len() <= left {
            self.text.push_str(&text);
            return self;
        }
        self.is_cut = true;
        if left >= MIN_WORDS_BYTES + introduction.len() {
            self.text.push_str(&text[..text.floor_char_boundary(left - '…'.len_utf8())]);
            self.text.push('…');
        }
        self
    }
}

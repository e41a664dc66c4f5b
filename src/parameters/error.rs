//! The errors of a mount's parameters: all mistakes, in one error.

use std::fmt;

use crate::{
    failure::FailureCode,
    spec::{misspelling::Misspelling, placeholder::is_placeholder},
    text::{MAX_LOG_BYTES, MAX_MESSAGE_BYTES},
};

/// A mistake in the parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The parameter's path: `keyvaultName`, `objects[2].objectEncoding`.
    pub field: String,
    /// The cause and the action.
    pub reason: String,
    /// What has to change.
    pub fault: Fault,
}

/// What has to change to solve a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The SecretProviderClass or the request, which stays wrong until a user edits it.
    Request,
    /// The cluster, which lacks what the SecretProviderClass rightly requires: a token, or a key of a Secret.
    Cluster,
}

impl Problem {
    /// Creates a problem of the SecretProviderClass or the request.
    pub(super) fn wrong(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string(), fault: Fault::Request }
    }

    /// Creates a problem of the cluster.
    pub(super) fn unmet(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string(), fault: Fault::Cluster }
    }
}

impl Problem {
    /// Appends a sentence to the reason.
    pub(super) fn with(mut self, sentence: impl fmt::Display) -> Self {
        self.reason = format!("{}; {sentence}", self.reason);
        self
    }

    /// Creates a problem for a text that is wrong, with a hint if the text looks like a placeholder.
    pub(super) fn of_text(field: impl Into<String>, text: &str, reason: impl fmt::Display) -> Self {
        let problem = Self::wrong(field, reason);
        if is_placeholder(text) { problem.with("the placeholder was not replaced") } else { problem }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

/// All problems of one `Mount` call, in the order of its parameters; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersError {
    problems: Vec<Problem>,
    /// The number of problems that were not kept.
    more: usize,
}

impl ParametersError {
    pub(super) fn one(problem: Problem) -> Self {
        Self { problems: vec![problem], more: 0 }
    }

    /// Returns the problems; at most the first thousand.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Returns what has to change: the request if any problem is the request's, otherwise the cluster.
    pub fn fault(&self) -> Fault {
        if self.problems.iter().any(|problem| problem.fault == Fault::Request) {
            Fault::Request
        } else {
            Fault::Cluster
        }
    }
}

impl ParametersError {
    /// Returns the message for the driver: one line of at most [`MAX_MESSAGE_BYTES`], with the first problems and the
    /// number of the others.
    pub fn message(&self, code: FailureCode) -> String {
        self.within(code, MAX_MESSAGE_BYTES, ", which the provider's log names")
    }

    /// Returns the text for the log: one line of at most [`MAX_LOG_BYTES`].
    pub fn all(&self, code: FailureCode) -> String {
        self.within(code, MAX_LOG_BYTES, "")
    }

    fn within(&self, code: FailureCode, most: usize, place: &str) -> String {
        let all = format!("[{code}] {self}");
        if all.len() <= most {
            return all;
        }
        // The highest possible count reserves room for any count.
        let rest = |more: usize| format!("; and {more} more{place}");
        let room = most - rest(usize::MAX).len();
        let mut text = format!("[{code}] {}", self.head());
        let mut shown = 0;
        for problem in &self.problems {
            let part = format!("{}{problem}", if shown == 0 { "" } else { "; " });
            if text.len() + part.len() > room {
                break;
            }
            text.push_str(&part);
            shown += 1;
        }
        if shown == 0
            && let Some(first) = self.problems.first()
        {
            let first = first.to_string();
            text.push_str(&first[..first.floor_char_boundary(room - text.len() - '…'.len_utf8())]);
            text.push('…');
            shown = 1;
        }
        match self.problems.len() + self.more - shown {
            0 => text,
            more => text + &rest(more),
        }
    }

    fn head(&self) -> String {
        let what = match self.fault() {
            Fault::Request => "invalid SecretProviderClass parameters",
            Fault::Cluster => "no usable credentials",
        };
        match self.problems.len() + self.more {
            0 | 1 => format!("{what}: "),
            count => format!("{what}: {count} problems: "),
        }
    }
}

impl fmt::Display for ParametersError {
    /// Writes the full text, on one line and without a code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<String> = self.problems.iter().map(ToString::to_string).collect();
        write!(f, "{}{}", self.head(), problems.join("; "))?;
        if self.more > 0 { write!(f, "; and {} more", self.more) } else { Ok(()) }
    }
}

impl std::error::Error for ParametersError {}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    kept: Vec<Problem>,
    more: usize,
}

/// Problems that are kept: more than a message can show, and fewer than a hostile request can cause.
const MAX_PROBLEMS: usize = 1_000;

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        if self.kept.len() < MAX_PROBLEMS {
            self.kept.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Returns the value, or keeps its problem.
    pub(super) fn catch<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    /// Returns the number of problems, those that are not kept included.
    pub(super) fn count(&self) -> usize {
        self.kept.len() + self.more
    }

    /// Returns whether a problem of this field was added since there were `before`.
    pub(super) fn has_since(&self, before: usize, field: &str) -> bool {
        self.kept.iter().skip(before).any(|problem| problem.field == field)
    }

    /// Adds the misspelt parameters to the last problem, if a problem was added since there were `before`.
    pub(super) fn explain<'a>(
        &mut self,
        before: usize,
        misspellings: impl IntoIterator<Item = &'a Misspelling>,
    ) {
        if self.kept.len() > before
            && let Some(last) = self.kept.pop()
        {
            self.kept.push(misspellings.into_iter().fold(last, Problem::with));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn into_error(self) -> ParametersError {
        debug_assert!(!self.kept.is_empty(), "a parameter is missing without a problem that says so");
        ParametersError { problems: self.kept, more: self.more }
    }
}

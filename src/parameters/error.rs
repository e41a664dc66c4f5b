//! What is wrong with a mount's parameters: everything, in one error.

use std::fmt;

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is, as a path that a user can find: `keyvaultName`, `objects[2].objectEncoding`.
    pub field: String,
    /// What is wrong there, and what to change.
    pub reason: String,
    /// What has to change for it to go away.
    pub fault: Fault,
}

/// Whose fault a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The SecretProviderClass or the request is wrong, and will stay so until someone edits it.
    Request,
    /// The cluster does not give what the SecretProviderClass rightly asks for: a token, a key of a Secret.
    Cluster,
}

impl Problem {
    /// The SecretProviderClass or the request is wrong.
    pub(super) fn wrong(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string(), fault: Fault::Request }
    }

    /// The cluster does not provide something.
    pub(super) fn unmet(field: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self { field: field.into(), reason: reason.to_string(), fault: Fault::Cluster }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

/// Every problem of one `Mount` call, in the order of its parameters; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersError {
    problems: Vec<Problem>,
}

impl ParametersError {
    pub(super) fn one(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What has to change: the request, if anything in it is wrong, or else the cluster.
    pub fn fault(&self) -> Fault {
        if self.problems.iter().any(|problem| problem.fault == Fault::Request) {
            Fault::Request
        } else {
            Fault::Cluster
        }
    }
}

impl fmt::Display for ParametersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault() {
            Fault::Request => f.write_str("invalid SecretProviderClass parameters: ")?,
            Fault::Cluster => f.write_str("no usable credentials: ")?,
        }
        if self.problems.len() > 1 {
            write!(f, "{} problems: ", self.problems.len())?;
        }
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ParametersError {}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The value, or its problem kept for later.
    pub(super) fn catch<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_error(self) -> ParametersError {
        debug_assert!(!self.0.is_empty(), "a parameter is missing without a problem that says so");
        ParametersError { problems: self.0 }
    }
}

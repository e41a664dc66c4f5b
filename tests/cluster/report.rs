//! The table at the end of a run.

use std::{
    fmt,
    io::Write,
    time::{Duration, Instant},
};

use crate::error::StepError;

/// The outcome of each step, in order. Each is logged when it is known.
pub(crate) struct Report<W> {
    log: W,
    rows: Vec<Row>,
}

struct Row {
    step: String,
    outcome: Outcome,
    detail: String,
    took: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl<W: Write> Report<W> {
    pub(crate) fn to(log: W) -> Self {
        Self { log, rows: Vec::new() }
    }

    /// Runs a step, and returns whether it passed.
    pub(crate) fn step(&mut self, step: &str, run: impl FnOnce() -> Result<String, StepError>) -> bool {
        let start = Instant::now();
        let (outcome, detail) = match run() {
            Ok(detail) => (Outcome::Passed, detail),
            Err(StepError::Skipped(reason)) => (Outcome::Skipped, reason),
            Err(error) => (Outcome::Failed, error.to_string()),
        };
        let row = Row { step: step.to_owned(), outcome, detail, took: start.elapsed() };
        // If the log is closed, the table still comes.
        let _ = writeln!(self.log, "{} | {} | {}", row.outcome, row.step, row.detail);
        self.rows.push(row);
        outcome != Outcome::Failed
    }

    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.outcome != Outcome::Failed)
    }

    /// Returns the table in Markdown, and a line with the sums.
    pub(crate) fn table(&self) -> String {
        let mut text = "| step | outcome | what was seen | took |\n| --- | --- | --- | --- |\n".to_owned();
        for row in &self.rows {
            let detail = row.detail.replace('|', "\\|").replace('\n', " ");
            text.push_str(&format!(
                "| {} | {} | {detail} | {} s |\n",
                row.step,
                row.outcome,
                row.took.as_secs()
            ));
        }
        let count = |outcome| self.rows.iter().filter(|row| row.outcome == outcome).count();
        let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
        text.push_str(&format!("\n{passed} passed, {failed} failed, {} skipped\n", count(Outcome::Skipped)));
        text
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_each_step_and_a_failure_fails_the_run() {
        let mut report = Report::to(Vec::new());
        assert!(report.step("driver", || Ok("v1".to_owned())));
        assert!(report.step("kubelet", || Err(StepError::Skipped("no command".to_owned()))));
        assert!(report.passed());
        assert!(!report.step("mount", || Err(StepError::Unexpected("a | b\nc".to_owned()))));
        assert!(!report.passed());
        let table = report.table();
        assert!(table.contains("| mount | FAILED | a \\| b c | 0 s |\n"), "{table}");
        assert!(table.ends_with("\n1 passed, 1 failed, 1 skipped\n"), "{table}");
    }
}

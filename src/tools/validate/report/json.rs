//! Findings as a JSON list.

use std::io::{self, Write};

use serde_json::json;

use super::Report;

/// Prints one list of the findings in all files.
///
/// # Errors
/// The stream cannot be written.
pub(crate) fn print(reports: &[Report], out: &mut dyn Write) -> io::Result<()> {
    let findings: Vec<_> = reports
        .iter()
        .flat_map(|report| report.findings.iter().map(move |finding| (report, finding)))
        .map(|(report, finding)| {
            let position = report.source.position(finding.offset);
            json!({
                "file": report.source.name,
                "line": position.line,
                "column": position.column,
                "severity": finding.rule.severity().as_str(),
                "code": finding.rule.as_str(),
                "namespace": finding.class.as_ref().and_then(|class| class.namespace.as_deref()),
                "class": finding.class.as_ref().and_then(|class| class.name.as_deref()),
                "path": finding.path,
                "message": finding.message,
            })
        })
        .collect();
    writeln!(out, "{:#}", serde_json::Value::Array(findings))
}

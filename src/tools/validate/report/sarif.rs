//! Findings in SARIF 2.1.0, which code hosts show beside the code.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::{
    build::Build,
    tools::validate::finding::{Finding, Rule},
};

use super::Report;

/// Prints one log with one run.
///
/// # Errors
/// The stream cannot be written.
pub(crate) fn print(reports: &[Report], out: &mut dyn Write) -> io::Result<()> {
    let results: Vec<Value> = reports
        .iter()
        .flat_map(|report| report.findings.iter().map(|finding| result(report, finding)))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "akv-provider",
                "version": Build::this().version,
                "rules": Rule::ALL.map(rule),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    writeln!(out, "{log:#}")
}

fn rule(rule: Rule) -> Value {
    json!({
        "id": rule.as_str(),
        "shortDescription": { "text": rule.description() },
        "defaultConfiguration": { "level": rule.severity().as_str() },
    })
}

fn result(report: &Report, finding: &Finding) -> Value {
    let position = report.source.position(finding.offset);
    json!({
        "ruleId": finding.rule.as_str(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == finding.rule),
        "level": finding.rule.severity().as_str(),
        "message": { "text": finding.text_with_class() },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": uri(&report.source.name) },
                "region": { "startLine": position.line, "startColumn": position.column },
            },
        }],
    })
}

/// Returns a file name as a relative reference (RFC 3986): backslashes, blanks and other characters are escaped.
fn uri(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

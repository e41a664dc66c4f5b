//! Findings as compilers print them.

use std::io::{self, Write};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};

use crate::tools::validate::finding::{Finding, Severity};

use super::Report;

const BOLD: Style = Style::new().bold();

/// Prints a line for each finding, and on a terminal the line of the file with a caret.
///
/// # Errors
/// The stream cannot be written.
pub(crate) fn print(report: &Report, on_terminal: bool, out: &mut dyn Write) -> io::Result<()> {
    for finding in &report.findings {
        let severity = finding.rule.severity();
        let style = match severity {
            Severity::Error => AnsiColor::Red.on_default().bold(),
            Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        };
        writeln!(
            out,
            "{BOLD}{}:{}:{BOLD:#} {style}{}{style:#}: {} [{}]",
            report.source.name,
            report.source.position(finding.offset),
            severity.as_str(),
            finding.text_with_class(),
            finding.rule
        )?;
        if on_terminal {
            writeln!(out, "{}", excerpt(report, finding, severity))?;
        }
    }
    Ok(())
}

/// Returns the line of a finding, with a caret below its place.
fn excerpt(report: &Report, finding: &Finding, severity: Severity) -> String {
    let text = &report.source.text;
    let begin = text.floor_char_boundary(finding.offset);
    let line_begin = text[..begin].rfind('\n').map_or(0, |end| end + 1);
    let line_end = text[begin..].find('\n').map_or(text.len(), |end| begin + end);
    let word = text[begin..line_end].trim_end();
    let end = begin + word[..word.floor_char_boundary(MAX_MARKED)].len();
    let level = match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let snippet = Snippet::source(&text[line_begin..line_end])
        .line_start(report.source.position(begin).line)
        .annotation(AnnotationKind::Primary.span(begin - line_begin..end.max(begin) - line_begin));
    Renderer::styled().render(&[Group::with_level(level).element(snippet)])
}

/// Bytes of a line that carets mark at most.
const MAX_MARKED: usize = 60;

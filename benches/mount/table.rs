//! The report as a Markdown table: a row for each figure, a column for each provider.

use std::{collections::BTreeMap, fmt};

use crate::{
    figure::Figure,
    report::{Report, Row},
};

pub(crate) struct Table<'a>(pub(crate) &'a Report);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report) = self;
        let names = report.providers.iter().map(|provider| provider.name.clone());
        let ratios = report.providers.iter().skip(1).map(|peer| format!("{} to ours", peer.name));
        let head: Vec<String> = std::iter::once(String::new()).chain(names).chain(ratios).collect();
        let mut lines = vec![head];
        lines.extend(report.rows.iter().map(cells));
        let widths: Vec<usize> = (0..lines[0].len())
            .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default())
            .collect();
        for (number, line) in lines.iter().enumerate() {
            let padded: Vec<_> =
                line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
            writeln!(f, "| {} |", padded.join(" | "))?;
            if number == 0 {
                let rule: Vec<_> = widths.iter().map(|&width| "-".repeat(width)).collect();
                writeln!(f, "| {} |", rule.join(" | "))?;
            }
        }
        failures(report).iter().try_for_each(|reason| writeln!(f, "\nfailed: {reason}"))
    }
}

fn cells(row: &Row) -> Vec<String> {
    let figures = row.figures.iter().map(|figure| match figure {
        Ok(figure) => figure.to_string(),
        Err(_) => "failed".to_owned(),
    });
    let ours = row.figures.first().and_then(|figure| figure.as_ref().ok());
    let ratios = row.figures.iter().skip(1).map(|peer| match (ours, peer) {
        (Some(ours), Ok(peer)) => ratio(peer, ours),
        _ => String::new(),
    });
    std::iter::once(row.what.clone()).chain(figures).chain(ratios).collect()
}

/// Returns the ratio of the peer's figure to ours, and the peer's requests.
fn ratio(peer: &Figure, ours: &Figure) -> String {
    let times = |peer: f64, ours: f64| match (peer, ours) {
        (0.0, 0.0) => "1.00".to_owned(),
        (_, 0.0) => "∞".to_owned(),
        _ => format!("{:.2}", peer / ours),
    };
    let mut text = format!("× {}", times(peer.median(), ours.median()));
    if let (Some(peer), Some(ours)) = (peer.requests(), ours.requests()) {
        text.push_str(&format!(", requests × {}", times(peer, ours)));
    }
    text
}

/// Returns each error once, with the failed providers and figures.
fn failures(report: &Report) -> Vec<String> {
    let mut places: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for row in &report.rows {
        for (provider, figure) in report.providers.iter().zip(&row.figures) {
            if let Err(reason) = figure {
                let scenarios = places.entry((&provider.name, reason)).or_default();
                if scenarios.last() != Some(&row.scenario.as_str()) {
                    scenarios.push(&row.scenario);
                }
            }
        }
    }
    let failures = places
        .into_iter()
        .map(|((name, reason), scenarios)| format!("{name}: {reason} ({})", scenarios.join(", ")));
    failures.collect()
}

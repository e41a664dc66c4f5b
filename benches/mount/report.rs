//! All figures, and their JSON form.

use std::{fs, io, path::Path};

use serde_json::{Value, json};

use crate::{emulator_baseline::Check, figure::Figure, process::Provider, scenarios::Scenario};

pub(crate) struct Report {
    pub(crate) check: Check,
    /// The provider of this crate comes first.
    pub(crate) providers: Vec<Provider>,
    pub(crate) rows: Vec<Row>,
}

/// One figure of each provider.
pub(crate) struct Row {
    pub(crate) scenario: String,
    pub(crate) what: String,
    /// In the order of the providers: the figure, or why it is missing.
    pub(crate) figures: Vec<Result<Figure, String>>,
}

impl Row {
    /// Returns the rows of one scenario. If every provider failed, one row says so.
    pub(crate) fn of(scenario: &Scenario, results: Vec<Result<Vec<Figure>, String>>) -> Vec<Self> {
        let names: Vec<String> = match results.iter().find_map(|result| result.as_ref().ok()) {
            Some(figures) => figures.iter().map(|figure| figure.what.clone()).collect(),
            None => vec![scenario.name()],
        };
        let mut rows: Vec<_> = names
            .into_iter()
            .map(|what| Self { scenario: scenario.name(), what, figures: Vec::new() })
            .collect();
        for result in results {
            match result {
                Ok(figures) => {
                    rows.iter_mut().zip(figures).for_each(|(row, figure)| row.figures.push(Ok(figure)));
                }
                Err(reason) => rows.iter_mut().for_each(|row| row.figures.push(Err(reason.clone()))),
            }
        }
        rows
    }
}

impl Report {
    /// Returns the number of missing figures.
    pub(crate) fn missing(&self) -> usize {
        self.rows.iter().flat_map(|row| &row.figures).filter(|figure| figure.is_err()).count()
    }

    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, format!("{:#}\n", self.json()))
    }

    fn json(&self) -> Value {
        let providers: Vec<_> = self
            .providers
            .iter()
            .map(|provider| json!({ "name": provider.name, "binary": provider.binary }))
            .collect();
        let rows: Vec<_> = self.rows.iter().map(|row| self.row(row)).collect();
        json!({
            "cpus": std::thread::available_parallelism().map_or(0, usize::from),
            "emulator": self.check.json(),
            "providers": providers,
            "rows": rows,
        })
    }

    fn row(&self, row: &Row) -> Value {
        let results: serde_json::Map<_, _> = self
            .providers
            .iter()
            .zip(&row.figures)
            .map(|(provider, figure)| (provider.name.clone(), result(figure)))
            .collect();
        json!({ "scenario": row.scenario, "figure": row.what, "results": results })
    }
}

fn result(figure: &Result<Figure, String>) -> Value {
    match figure {
        Ok(figure) => json!({
            "unit": figure.unit.name(),
            "median": figure.median(),
            "requests": figure.requests(),
            "samples": figure.samples(),
        }),
        Err(reason) => json!({ "failed": reason }),
    }
}

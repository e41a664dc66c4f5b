//! A measured figure with the values of all runs.

use std::{fmt, time::Duration};

#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    samples: Vec<f64>,
    requests: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Milliseconds,
    Mebibytes,
    Number,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, unit: Unit) -> Self {
        Self { what: what.into(), unit, samples: Vec::new(), requests: Vec::new() }
    }

    pub(crate) fn times(what: impl Into<String>) -> Self {
        Self::new(what, Unit::Milliseconds)
    }

    pub(crate) fn time(&mut self, time: Duration) {
        self.samples.push(time.as_secs_f64() * 1e3);
    }

    /// Adds a time, and the requests that it took.
    pub(crate) fn run(&mut self, (time, requests): (Duration, u64)) {
        self.time(time);
        self.requests.push(requests as f64);
    }

    pub(crate) fn bytes(&mut self, bytes: u64) {
        self.samples.push(bytes as f64 / f64::from(1 << 20));
    }

    pub(crate) fn number(&mut self, number: usize) {
        self.samples.push(number as f64);
    }

    /// Returns the median of all runs.
    pub(crate) fn median(&self) -> f64 {
        median(&self.samples).unwrap_or(f64::NAN)
    }

    /// Returns the median number of requests, if they were counted.
    pub(crate) fn requests(&self) -> Option<f64> {
        median(&self.requests)
    }

    pub(crate) fn samples(&self) -> &[f64] {
        &self.samples
    }
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
            Self::Number => "",
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let median = self.median();
        let decimals = match self.unit {
            Unit::Number => 0,
            _ if median >= 100.0 => 0,
            _ if median >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{median:.decimals$} {}", self.unit.name())?;
        match self.requests() {
            Some(requests) => write!(f, ", {requests} requests"),
            None => Ok(()),
        }
    }
}

fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

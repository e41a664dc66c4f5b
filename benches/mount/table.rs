//! One line for each figure.

use std::{fmt, time::Duration};

#[derive(Default)]
pub(crate) struct Table(Vec<(String, String)>);

impl Table {
    /// The median of `times`, and how far they are apart.
    pub(crate) fn time(&mut self, what: &str, times: &mut [Duration]) {
        self.0.push((what.to_owned(), spread(times)));
    }

    pub(crate) fn time_and_requests(&mut self, what: &str, times: &mut [Duration], requests: u64) {
        self.0.push((what.to_owned(), format!("{}, {requests} requests", spread(times))));
    }

    pub(crate) fn cpu(&mut self, what: &str, time: Duration) {
        self.0.push((what.to_owned(), format!("{:.2} ms", milliseconds(time))));
    }

    pub(crate) fn memory(&mut self, what: &str, bytes: u64) {
        self.0.push((what.to_owned(), format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))));
    }
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return "never".to_owned() };
    let median = milliseconds(times[times.len() / 2]);
    match times.len() {
        1 => format!("{median:.1} ms"),
        _ => format!("{median:.1} ms ({:.1} to {:.1})", milliseconds(*first), milliseconds(*last)),
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(what, _)| what.len()).max().unwrap_or_default();
        self.0.iter().try_for_each(|(what, figure)| writeln!(f, "{what:<width$}  {figure}"))
    }
}

//! The outcomes of the soak, and its table.

use std::{collections::BTreeMap, fmt, io, time::Duration};

use crate::process::Process;

/// The outcome of one mount.
pub(crate) enum Outcome {
    Mounted,
    /// The mount returned a value that it must not return, or lacks a value.
    Wrong,
    /// The mount failed while a fault was active.
    Failed {
        cause: &'static str,
        code: String,
        took: Duration,
    },
    /// The mount failed without an active fault.
    Unexplained(String),
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    mounted: u64,
    wrong: u64,
    failed: BTreeMap<(&'static str, String), (u64, Duration)>,
    unexplained: BTreeMap<String, u64>,
}

impl Record {
    pub(crate) fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Mounted => self.mounted += 1,
            Outcome::Wrong => self.wrong += 1,
            Outcome::Failed { cause, code, took } => {
                let (count, longest) = self.failed.entry((cause, code)).or_default();
                *count += 1;
                *longest = took.max(*longest);
            }
            Outcome::Unexplained(text) => *self.unexplained.entry(text).or_default() += 1,
        }
    }

    /// Returns whether every answer was right and every failure has a cause.
    pub(crate) fn is_sound(&self) -> bool {
        self.wrong == 0 && self.unexplained.is_empty()
    }

    fn failures(&self) -> u64 {
        self.failed.values().map(|(count, _)| count).sum::<u64>() + self.unexplained.values().sum::<u64>()
    }
}

/// The resource use of the first provider at one time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    at: Duration,
    mounted: u64,
    failed: u64,
    resident: u64,
    descriptors: usize,
}

impl Sample {
    pub(crate) fn take(at: Duration, process: &Process, record: &Record) -> io::Result<Self> {
        Ok(Self {
            at,
            mounted: record.mounted,
            failed: record.failures(),
            resident: process.resident()?,
            descriptors: std::fs::read_dir(format!("/proc/{}/fd", process.id()))?.count(),
        })
    }
}

/// The most descriptors that chance explains, between the quiet before and the quiet after.
const MAX_MORE_DESCRIPTORS: usize = 4;

/// The most that the memory grows by chance in the second half, in bytes.
const MAX_GROWTH: f64 = 2.0 * 1024.0 * 1024.0;

/// Whether the first provider keeps more than it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaks {
    /// How much the memory grew in the second half, in bytes.
    growth: f64,
    descriptors: bool,
}

impl Leaks {
    /// Judges a run by its memory under load, sampled at even intervals, and by its descriptors when it was quiet.
    pub(crate) fn of(memory: &[(Duration, u64)], before: &Sample, after: &Sample) -> Self {
        Self {
            growth: test_support::growth(memory),
            descriptors: after.descriptors > before.descriptors + MAX_MORE_DESCRIPTORS,
        }
    }

    pub(crate) fn any(self) -> bool {
        self.descriptors || self.growth > MAX_GROWTH
    }
}

/// The report of a soak.
pub(crate) struct Report<'a> {
    pub(crate) record: &'a Record,
    pub(crate) restarts: u32,
    /// Idle, after the warm-up.
    pub(crate) before: Sample,
    pub(crate) samples: &'a [Sample],
    /// Idle again, after the last mount.
    pub(crate) after: Sample,
    pub(crate) leaks: Leaks,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { record, restarts, before, samples, after, leaks } = self;
        writeln!(
            f,
            "{} mounts, {} failed, {} wrong values, {restarts} restarts of the second provider\n",
            record.mounted + record.failures() + record.wrong,
            record.failures(),
            record.wrong
        )?;
        writeln!(f, "| failed while | code | mounts | longest, s |\n| --- | --- | ---: | ---: |")?;
        for ((cause, code), (count, longest)) in &record.failed {
            writeln!(f, "| {cause} | {code} | {count} | {:.1} |", longest.as_secs_f64())?;
        }
        for (text, count) in &record.unexplained {
            writeln!(f, "| **no fault was active** | {} | {count} | |", text.replace('\n', " "))?;
        }
        writeln!(f, "\n| minute | mounted | failed | memory, MiB | descriptors |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: |")?;
        row(f, "quiet before", before)?;
        for sample in *samples {
            row(f, &format!("{:.1}", sample.at.as_secs_f64() / 60.0), sample)?;
        }
        row(f, "quiet after", after)?;
        let growth = leaks.growth / f64::from(1 << 20);
        writeln!(f, "\nleaks: {}", if leaks.any() { "**yes**" } else { "none" })?;
        writeln!(f, "the memory grew by {growth:.1} MiB in the second half")
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, sample: &Sample) -> fmt::Result {
    let Sample { mounted, failed, resident, descriptors, .. } = sample;
    writeln!(
        f,
        "| {name} | {mounted} | {failed} | {:.1} | {descriptors} |",
        *resident as f64 / f64::from(1 << 20)
    )
}

//! The provider's memory and descriptors.

use std::{cell::Cell, fmt, fs, io, rc::Rc, time::Duration};

use tokio::time::sleep;

use crate::process::Process;

const INTERVAL: Duration = Duration::from_millis(200);

/// The use of resources since the last [`Usage::take`]. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Usage(Rc<Cell<Peaks>>);

#[derive(Clone, Copy, Default)]
struct Peaks {
    resident: u64,
    descriptors: usize,
}

/// The use of resources over a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    peak: u64,
    resident: u64,
    pub(crate) descriptors: usize,
}

impl Usage {
    /// Watches the process until it is dropped.
    pub(crate) async fn watch(self, process: u32) {
        loop {
            let Peaks { resident, descriptors } = self.0.get();
            self.0.set(Peaks {
                resident: resident.max(resident_of(process).unwrap_or_default()),
                descriptors: descriptors.max(descriptors_of(process).unwrap_or_default()),
            });
            sleep(INTERVAL).await;
        }
    }

    /// Returns the use now.
    pub(crate) fn now(&self, process: &Process) -> io::Result<Used> {
        let Peaks { resident: peak, .. } = self.0.get();
        Ok(Used { peak, resident: process.resident()?, descriptors: descriptors_of(process.id())? })
    }

    /// Returns the use since the last call.
    pub(crate) fn take(&self, process: &Process) -> io::Result<Used> {
        let Peaks { resident: peak, descriptors } = self.0.take();
        Ok(Used { peak, resident: process.resident()?, descriptors })
    }
}

impl Used {
    /// Returns the peak of the memory in MiB.
    pub(crate) fn peak(&self) -> String {
        mib(self.peak)
    }

    /// Returns the memory at the end in MiB.
    pub(crate) fn resident(&self) -> String {
        mib(self.resident)
    }
}

impl fmt::Display for Used {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB, {} descriptors", self.resident(), self.descriptors)
    }
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

fn resident_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn descriptors_of(process: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{process}/fd"))?.count())
}

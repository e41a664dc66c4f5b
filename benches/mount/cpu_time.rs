//! CPU time of a process, from the kernel's scheduler.

use std::{fs, io, time::Duration};

/// Returns the CPU time, user and system, of a process's living threads whose names the filter accepts.
///
/// The source is `/proc/PID/task/*/schedstat`, in nanoseconds: the ticks of `/proc/PID/stat` are as long as a whole
/// mount.
pub(crate) fn cpu(process: &str, picks: impl Fn(&str) -> bool) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.path();
        // A thread may end after the listing, before its name is read.
        let Ok(name) = fs::read_to_string(task.join("comm")) else { continue };
        let Ok(schedule) = fs::read_to_string(task.join("schedstat")) else { continue };
        if picks(name.trim_end()) {
            let on_cpu = schedule.split(' ').next().and_then(|field| field.parse::<u64>().ok());
            nanoseconds += on_cpu.ok_or_else(|| io::Error::other("the kernel reports no CPU time"))?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

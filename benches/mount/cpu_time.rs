//! What the kernel's scheduler says of a process.

use std::{fs, io, time::Duration};

/// CPU time, user and system, of those living threads of a process that the filter picks by name.
///
/// In nanoseconds, from `/proc/PID/task/*/schedstat`: the ticks of `/proc/PID/stat` are as long as a whole mount.
pub(crate) fn cpu(process: &str, picks: impl Fn(&str) -> bool) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.path();
        // A thread may end between the listing and the reading.
        let Ok(name) = fs::read_to_string(task.join("comm")) else { continue };
        let Ok(schedule) = fs::read_to_string(task.join("schedstat")) else { continue };
        if picks(name.trim_end()) {
            let on_cpu = schedule.split(' ').next().and_then(|field| field.parse::<u64>().ok());
            nanoseconds += on_cpu.ok_or_else(|| io::Error::other("the kernel tells no CPU time"))?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

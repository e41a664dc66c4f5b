//! Computations that take too long for the threads that serve mounts.

/// The niceness of blocking threads (`sched(7)`): beside a busy one, the thread that serves gets ten times its time.
const NICENESS: i32 = 10;

/// Lowers the priority of the calling thread, so that any number of long computations leave the serving thread its time.
pub fn lower_priority() {
    // The computations are only less polite without it.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

/// Runs a computation on a blocking thread, so that it does not delay the threads that serve other mounts. A panic in
/// `work` panics here.
pub(crate) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only a shutdown of the runtime drops blocking work that has not begun, and it drops this task as well.
            Err(_) => std::future::pending().await,
        },
    }
}

//! Computations that take too long for the threads that serve mounts.

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

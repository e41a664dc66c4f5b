//! Accepting connections without a busy loop on errors.

use std::{io, time::Duration};

use tokio_stream::{Stream, StreamExt};

/// The pause after an error.
const PAUSE: Duration = Duration::from_millis(100);

/// Returns the same connections, with a pause after each error. If the process has no descriptors left, each try
/// fails at once, and without the pause the server would only try. The first error in a row is logged.
pub(super) fn with_backoff<T>(
    incoming: impl Stream<Item = io::Result<T>>,
) -> impl Stream<Item = io::Result<T>> {
    let mut failing = false;
    incoming
        .map(move |connection| {
            let is_first = connection.is_err() && !failing;
            failing = connection.is_err();
            (connection, is_first)
        })
        .then(|(connection, is_first)| async move {
            if let Err(error) = &connection {
                if is_first {
                    tracing::error!(%error, "cannot accept connections; trying on");
                }
                tokio::time::sleep(PAUSE).await;
            }
            connection
        })
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_node_without_descriptors_is_not_kept_busy_with_trying() {
        let connections = (0..10).map(|index| match index {
            3..6 => Err(io::Error::from_raw_os_error(24)),
            index => Ok(index),
        });
        let mut incoming = pin!(with_backoff(tokio_stream::iter(connections)));
        let begin = Instant::now();
        let mut accepted = Vec::new();
        while let Some(connection) = incoming.next().await {
            accepted.extend(connection);
        }
        assert_eq!(accepted, [0, 1, 2, 6, 7, 8, 9]);
        assert_eq!(begin.elapsed(), 3 * PAUSE);
    }
}

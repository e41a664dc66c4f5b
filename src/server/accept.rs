//! Connections that cannot be accepted, without running hot.

use std::{io, time::Duration};

use tokio_stream::{Stream, StreamExt};

/// How long to wait after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// The same connections, and a pause after each error: where all descriptors are in use, the next try fails at once too,
/// and the server would do nothing but try. It is told of once in a row.
pub(super) fn with_backoff<T>(
    incoming: impl Stream<Item = io::Result<T>>,
) -> impl Stream<Item = io::Result<T>> {
    let mut failing = false;
    incoming
        .map(move |connection| {
            let news = connection.is_err() && !failing;
            failing = connection.is_err();
            (connection, news)
        })
        .then(|(connection, news)| async move {
            if let Err(error) = &connection {
                if news {
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

//! Log lines on stderr.

use std::io::{self, IsTerminal};

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Sends the provider's own events of `level` and above to stderr, of other crates only warnings: the SDK tells of
/// every credential that it makes.
///
/// The process's panic hook is replaced as well, since a panic's message may hold what was worked on: the log says
/// where, not what.
pub fn init(level: Level) {
    let filter = Targets::new()
        .with_target("akv_provider", level)
        .with_default(LevelFilter::WARN);
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(lines).with(filter).init();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "a bug of the provider's own ended one task");
    }));
}

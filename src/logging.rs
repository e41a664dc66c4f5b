//! Logging to stderr.

#[cfg(test)]
pub(crate) mod captured_log;

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::cli::{LogFormat, LogSettings};

/// Sends the provider's own events to stderr, and from other crates only warnings: the SDK logs every credential that
/// it creates.
///
/// Replaces the process's panic hook as well. A panic's message may hold the data in use, so the log has the location
/// and not the message.
pub fn init(settings: &LogSettings) {
    let lines = match settings.format {
        LogFormat::Text => fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(io::stderr).boxed(),
    };
    let filter = Targets::new().with_target("akv_provider", settings.level).with_default(LevelFilter::WARN);
    tracing_subscriber::registry().with(lines).with(filter).init();
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, "a bug of the provider's own ended one task");
    }));
    if !settings.ignored.is_empty() {
        tracing::info!(flags = settings.ignored.join(" "), "flags of klog without effect");
    }
}

//! Logging: lines to stderr, as text for people or JSON for machines, filtered so that they contain no message bodies.

use std::io::{IsTerminal, stderr};
use std::panic::PanicHookInfo;

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, TelemetrySettings};

/// lapin logs the whole body of a returned message at level `WARN`.
const QUIET: &str = "lapin=error";

/// Starts logging, and logs panics from then on. Does nothing where logging was started before, as in a test.
pub fn start(settings: &TelemetrySettings) {
    let lines = tracing_subscriber::fmt().with_env_filter(filter(&settings.log_filter)).with_writer(stderr);
    let started = match settings.log_format {
        LogFormat::Text => {
            tracing::subscriber::set_global_default(lines.with_ansi(stderr().is_terminal()).finish())
        }
        LogFormat::Json => tracing::subscriber::set_global_default(
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).finish(),
        ),
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

fn filter(text: &str) -> EnvFilter {
    let wanted = if text.contains("lapin") { text.to_owned() } else { format!("{text},{QUIET}") };
    EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new(format!("info,{QUIET}")))
}

/// Without this, a panic would be a line of a JSON log that is not JSON.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("a value that is not text");
    tracing::error!(panic.place = place, "A bug: the code panicked with: {message}");
}

//! A process from start to exit: settings, logging, Tokio runtime, signals, exit code.

use std::process::ExitCode;

use clap::Command;
use tokio_util::sync::CancellationToken;

use crate::fatal::Fatal;
use crate::settings::{self, Settings, SettingsError};
use crate::{panics, prometheus, shutdown, telemetry};

/// For settings that can't work (`EX_CONFIG` of sysexits.h): restarting without a change is pointless.
const EXIT_MISCONFIGURED: u8 = 78;
/// For unknown flags (`EX_USAGE` of sysexits.h).
const EXIT_USAGE: u8 = 64;

/// Runs a long-lived process with this command line: reads the settings, starts logging and metrics, then runs `work` until it returns.
///
/// `work` gets the settings and a token. The first SIGTERM or SIGINT cancels the token; `work` should then finish what is in
/// flight and return. A second signal ends the process at once. The exit code is 0 after `Ok`, 1 or 78 after a [`Fatal`], 64 for
/// unknown flags, and 70 after a panic that is not contained ([`panics`]).
pub fn run<S: Settings>(
    command: Command,
    work: impl AsyncFnOnce(S, CancellationToken) -> Result<(), Fatal>,
) -> ExitCode {
    let name = command.get_name().to_owned();
    let settings = match start::<S>(command) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return ended(&name, Fatal::because("The runtime's threads could not be started", error));
        }
    };
    let outcome = runtime.block_on(async {
        let stop = shutdown::on_signals()?;
        prometheus::keep_up();
        work(settings, stop).await
    });
    // Tasks that still run, such as a database query, must not delay the exit.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => {
            tracing::info!("{name} has stopped");
            ExitCode::SUCCESS
        }
        Err(fatal) => ended(&name, fatal),
    }
}

fn start<S: Settings>(command: Command) -> Result<S, ExitCode> {
    let (name, version) =
        (command.get_name().to_owned(), command.get_version().unwrap_or_default().to_owned());
    let (settings, effective) = settings::read::<S>(command).map_err(|refused| refuse(&name, refused))?;
    settings.check().map_err(|sentence| refuse(&name, SettingsError::Value(sentence)))?;
    telemetry::start(settings.telemetry());
    panics::end_the_process();
    prometheus::install(&name);
    tracing::info!("{name} {version} starts with {effective}");
    Ok(settings)
}

/// The machine's name, by which consoles tell the connections of several processes apart: `HOSTNAME`, else the kernel's host
/// name, else `localhost`.
#[must_use]
pub fn host_name() -> String {
    let named = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let name = named.map(|name| name.trim().to_owned()).unwrap_or_default();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Prints the error to stderr (for `--help` and `--version`, the text to stdout) and gives the exit code: 78 for a value, 64
/// for unknown flags, 0 for `--help` and `--version`.
#[must_use]
pub fn refuse(name: &str, refused: SettingsError) -> ExitCode {
    match refused {
        SettingsError::Value(sentence) => {
            eprintln!("{name}: {sentence}");
            ExitCode::from(EXIT_MISCONFIGURED)
        }
        SettingsError::Usage(error) => {
            // With stderr closed, nothing can be reported.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
        }
    }
}

fn ended(name: &str, fatal: Fatal) -> ExitCode {
    match fatal {
        Fatal::Misconfigured(sentence) => refuse(name, SettingsError::Value(sentence)),
        Fatal::Failed { sentence, source: Some(source) } => {
            tracing::error!(error = source.to_string(), "{sentence}");
            ExitCode::FAILURE
        }
        Fatal::Failed { sentence, source: None } => {
            tracing::error!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

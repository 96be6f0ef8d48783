//! A process from start to exit: settings, telemetry, runtime, signals, exit code.

use std::error::Error;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use crate::settings::{self, Refused, Settings};
use crate::{prometheus, shutdown, telemetry};

/// Exit code for settings that can't work (`EX_CONFIG` of sysexits.h): starting again without a change is pointless.
pub const EXIT_MISCONFIGURED: u8 = 78;
/// Exit code for flags that nobody understands (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Why a process ends other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// It can't work with these settings. Exit code 78.
    #[error("{0}")]
    Misconfigured(String),
    /// Something broke that a fresh start may mend. Exit code 1.
    #[error("{sentence}")]
    Failed {
        /// What happened, what it means, what to do.
        sentence: String,
        /// What broke underneath.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl Fatal {
    /// Something broke, and there is no error underneath to tell of.
    #[must_use]
    pub fn failed(sentence: impl Into<String>) -> Self {
        Self::Failed { sentence: sentence.into(), source: None }
    }

    /// Something broke because of this error.
    #[must_use]
    pub fn because(sentence: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed { sentence: sentence.into(), source: Some(source.into()) }
    }
}

/// Runs a long-lived process: reads the settings, starts telemetry, then drives `work` until it returns.
///
/// `work` gets the settings and a token that is cancelled by the first SIGTERM or SIGINT; it should then finish what is
/// in flight and return. A second signal ends the process at once.
pub fn run<S: Settings>(work: impl AsyncFnOnce(S, CancellationToken) -> Result<(), Fatal>) -> ExitCode {
    let name = S::command().get_name().to_owned();
    let settings = match start::<S>(&name) {
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
    // What is still running (a read of the database, say) must not hold the process back.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => {
            tracing::info!("{name} has stopped");
            ExitCode::SUCCESS
        }
        Err(fatal) => ended(&name, fatal),
    }
}

fn start<S: Settings>(name: &str) -> Result<S, ExitCode> {
    let (settings, effective) = settings::read::<S>().map_err(|refused| refuse(name, refused))?;
    settings.check().map_err(|sentence| refuse(name, Refused::Value(sentence)))?;
    telemetry::start(settings.telemetry());
    prometheus::install(name);
    tracing::info!("{name} {} starts with {effective}", env!("CARGO_PKG_VERSION"));
    Ok(settings)
}

/// This machine's name, for telling connections of several processes apart in consoles; `localhost` where it has none.
#[must_use]
pub fn host_name() -> String {
    let named = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let name = named.map(|name| name.trim().to_owned()).unwrap_or_default();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// Prints why settings were refused and gives the exit code that says so.
#[must_use]
pub fn refuse(name: &str, refused: Refused) -> ExitCode {
    match refused {
        Refused::Value(sentence) => {
            eprintln!("{name}: {sentence}");
            ExitCode::from(EXIT_MISCONFIGURED)
        }
        Refused::Usage(error) => {
            // Where even stderr is closed, there is nobody left to tell.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
        }
    }
}

fn ended(name: &str, fatal: Fatal) -> ExitCode {
    match fatal {
        Fatal::Misconfigured(sentence) => refuse(name, Refused::Value(sentence)),
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

//! One command from its arguments to its exit code: results go to stdout, sentences about trouble to stderr.

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use millrace_service::process::refuse;
use millrace_service::settings::{self, SettingsError, TelemetrySettings};
use millrace_service::{Fatal, telemetry};

const NAME: &str = "ops";

/// Sets Millrace up, and looks into it
#[derive(Parser)]
#[command(name = NAME, version, max_term_width = 110)]
struct Ops<Verb: Subcommand> {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    telemetry: TelemetrySettings,
}

/// Reads the arguments, does the work and says how it ended. Exit code 0 for done, 1 for failed, 64 for unknown
/// arguments, 78 for settings that can't work; the rest is the verb's own.
pub fn run<Verb: Subcommand>(work: impl AsyncFnOnce(Verb) -> Result<ExitCode, Fatal>) -> ExitCode {
    let mut ops = match settings::read::<Ops<Verb>>(Ops::<Verb>::command()) {
        Ok((ops, _)) => ops,
        Err(refused) => return refuse(NAME, refused),
    };
    // What lapin finds wrong is told in a sentence here.
    if !ops.telemetry.log_filter.contains("lapin") {
        ops.telemetry.log_filter.push_str(",lapin=off");
    }
    telemetry::start(&ops.telemetry);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("The runtime could not be started", Some(&error)),
    };
    match runtime.block_on(work(ops.verb)) {
        Ok(code) => code,
        Err(Fatal::Misconfigured(sentence)) => refuse(NAME, SettingsError::Value(sentence)),
        Err(Fatal::Failed { sentence, source }) => {
            failed(&sentence, source.as_ref().map(|source| source.as_ref() as &dyn Error))
        }
    }
}

/// Writes a line to stdout. Nobody may be reading it any more, and that must not end the work half-way.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn failed(sentence: &str, source: Option<&dyn Error>) -> ExitCode {
    let mut message = sentence.to_owned();
    let mut next = source;
    while let Some(cause) = next {
        // Some errors repeat their cause, some don't.
        let text = cause.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        next = cause.source();
    }
    eprintln!("{NAME}: {message}");
    ExitCode::FAILURE
}

//! A command from its arguments to its exit code: results go to stdout, errors and warnings as sentences to stderr.

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser, Subcommand};
use millrace_service::process::refuse;
use millrace_service::settings::{self, SettingsError, TelemetrySettings};
use millrace_service::{Fatal, telemetry};

const NAME: &str = "ops";

/// Sets up a broker and a database for Millrace, and shows what is in them
#[derive(Parser)]
#[command(name = NAME, version, max_term_width = 110)]
struct Ops<C: Subcommand> {
    #[command(subcommand)]
    command: C,
    #[command(flatten)]
    telemetry: TelemetrySettings,
}

/// Reads the arguments, runs the command and gives its exit code.
pub fn run<C: Subcommand>(
    complete: impl FnOnce(Command) -> Command,
    work: impl AsyncFnOnce(C) -> Result<ExitCode, Fatal>,
) -> ExitCode {
    let mut ops = match settings::read::<Ops<C>>(complete(Ops::<C>::command())) {
        Ok((ops, _)) => ops,
        Err(refused) => return refuse(NAME, refused),
    };
    // Errors of lapin become sentences here.
    if !ops.telemetry.log_filter.contains("lapin") {
        ops.telemetry.log_filter.push_str(",lapin=off");
    }
    telemetry::start(&ops.telemetry);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed("The runtime could not be started", Some(&error)),
    };
    match runtime.block_on(work(ops.command)) {
        Ok(code) => code,
        Err(Fatal::Misconfigured(sentence)) => refuse(NAME, SettingsError::Value(sentence)),
        Err(Fatal::Failed { sentence, source }) => {
            failed(&sentence, source.as_ref().map(|source| source.as_ref() as &dyn Error))
        }
    }
}

/// Writes a line to stdout. That the reader has closed it must not end the command half-way.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn failed(sentence: &str, source: Option<&dyn Error>) -> ExitCode {
    let mut message = sentence.to_owned();
    let mut next = source;
    while let Some(cause) = next {
        // Some errors repeat their cause, others don't.
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

//! Reads a binary's settings, says in one sentence what is wrong with them, and lists the effective ones, masked.

use std::error::Error as _;
use std::ffi::OsString;
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Parser};

use crate::secret::SecretUrl;

/// Why a process does not start with these settings.
#[derive(Debug)]
pub enum Refused {
    /// `--help` or `--version` was asked for, or the flags themselves were wrong: `clap` knows best what to print.
    Usage(clap::Error),
    /// A value is missing or wrong; the sentence names the variable.
    Value(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(f),
            Self::Value(sentence) => f.write_str(sentence),
        }
    }
}

/// Reads settings from the process's arguments and environment.
pub fn read<S: Parser>() -> Result<(S, Effective), Refused> {
    read_from(std::env::args_os())
}

/// Reads settings from these arguments (the first is the program's name) and the environment.
pub fn read_from<S: Parser>(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(S, Effective), Refused> {
    let mut command = S::command();
    let matches = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| S::from_arg_matches(&matches).map(|settings| (settings, matches)));
    match matches {
        Ok((settings, matches)) => Ok((settings, Effective::of(&command, &matches))),
        Err(error) => Err(match explain(&command, &error) {
            Some(sentence) => Refused::Value(sentence),
            None => Refused::Usage(error),
        }),
    }
}

/// One sentence for a missing or wrong value; `None` for errors that `clap` itself explains better.
#[must_use]
pub fn explain(command: &Command, error: &clap::Error) -> Option<String> {
    let named = error.get(ContextKind::InvalidArg)?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            let ContextValue::Strings(missing) = named else { return None };
            let missing: Vec<String> = missing.iter().map(|shown| variable(command, shown)).collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            Some(format!("{} {verb} not set: --help says what to give", missing.join(" and ")))
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let ContextValue::String(shown) = named else { return None };
            let reason = error.source().map(ToString::to_string).or_else(|| allowed(error));
            let secret = find(command, shown).is_none_or(Arg::is_hide_env_values_set);
            let value = match error.get(ContextKind::InvalidValue) {
                Some(ContextValue::String(value)) if value.is_empty() => " (it is empty)".to_owned(),
                Some(ContextValue::String(value)) if !secret => format!(" (it is {value:?})"),
                _ => String::new(),
            };
            let reason = reason.unwrap_or_else(|| "the value is not understood".to_owned());
            Some(format!("{} is wrong{value}: {reason}", variable(command, shown)))
        }
        _ => None,
    }
}

fn allowed(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            Some(format!("expected {}", values.join(" or ")))
        }
        _ => None,
    }
}

/// The environment variable of the argument that `clap` shows as `--amqp-url <URL>`.
fn variable(command: &Command, shown: &str) -> String {
    let env = find(command, shown).and_then(Arg::get_env).map(|name| name.to_string_lossy().into_owned());
    env.unwrap_or_else(|| shown.to_owned())
}

fn find<'a>(command: &'a Command, shown: &str) -> Option<&'a Arg> {
    let flag = shown.split([' ', '=']).next()?.trim_start_matches("--");
    let own = command.get_arguments().find(|argument| argument.get_long() == Some(flag));
    own.or_else(|| command.get_subcommands().find_map(|sub| find(sub, shown)))
}

/// The settings that a process runs with, and where each came from; secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective(Vec<String>);

impl Effective {
    fn of(command: &Command, matches: &ArgMatches) -> Self {
        let lines = command.get_arguments().filter_map(|argument| {
            let name = argument.get_env()?.to_string_lossy();
            let id = argument.get_id().as_str();
            let Some(raw) = matches.get_raw(id).and_then(|mut values| values.next()) else {
                return Some(format!("{name} not set"));
            };
            let raw = raw.to_string_lossy();
            let value = if argument.is_hide_env_values_set() { masked(&raw) } else { raw.into_owned() };
            let origin = match matches.value_source(id) {
                Some(ValueSource::DefaultValue) => " (default)",
                _ => "",
            };
            Some(format!("{name}={value}{origin}"))
        });
        Self(lines.collect())
    }
}

/// A URL shows all but its password; any other secret shows nothing.
fn masked(raw: &str) -> String {
    const SHOWN: &[&str] = &["amqp", "amqps", "postgres", "postgresql", "http", "https"];
    SecretUrl::parse(raw, SHOWN).map_or_else(|_| "…".to_owned(), |url| url.to_string())
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

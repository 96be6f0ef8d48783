//! Reads a binary's settings, explains in one sentence what is wrong with them, and lists the effective ones, masked.

use std::error::Error as _;
use std::ffi::OsString;
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches};

use crate::secret::SecretUrl;

/// Why settings could not be read.
#[derive(Debug)]
pub enum SettingsError {
    /// `--help`, `--version` or unknown flags: `clap`'s own error says what to print.
    Usage(clap::Error),
    /// A value is missing or wrong. The sentence names the variable and contains no secret.
    Value(String),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(f),
            Self::Value(sentence) => f.write_str(sentence),
        }
    }
}

/// Reads settings from the process's arguments and environment; arguments win.
pub fn read<S: FromArgMatches>(command: Command) -> Result<(S, EffectiveSettings), SettingsError> {
    read_from(command, std::env::args_os())
}

/// Reads settings from these arguments (the first is the program's name) and the environment.
pub fn read_from<S: FromArgMatches>(
    mut command: Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<(S, EffectiveSettings), SettingsError> {
    let matches = command
        .try_get_matches_from_mut(arguments)
        .and_then(|matches| S::from_arg_matches(&matches).map(|settings| (settings, matches)));
    match matches {
        Ok((settings, matches)) => Ok((settings, EffectiveSettings::of(&command, &matches))),
        Err(error) => Err(match explain(&command, &error) {
            Some(sentence) => SettingsError::Value(sentence),
            None => SettingsError::Usage(error),
        }),
    }
}

/// One sentence for a missing or wrong value; `None` for all other errors, which `clap` explains better.
fn explain(command: &Command, error: &clap::Error) -> Option<String> {
    let named = error.get(ContextKind::InvalidArg)?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument => {
            let ContextValue::Strings(missing) = named else { return None };
            let missing: Vec<String> = missing.iter().map(|shown| variable(command, shown)).collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            Some(format!("{} {verb} not set; --help describes each setting", missing.join(" and ")))
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
            let reason = reason.unwrap_or_else(|| "the value is invalid".to_owned());
            Some(format!("{} is wrong{value}: {reason}", variable(command, shown)))
        }
        _ => None,
    }
}

fn allowed(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            let (last, others) = values.split_last()?;
            let others = if others.is_empty() { String::new() } else { format!("{} or ", others.join(", ")) };
            Some(format!("expected {others}{last}"))
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
    let positional = shown.trim_matches(['[', ']', '<', '>']);
    let own = command.get_arguments().find(|argument| {
        let is_positional =
            || argument.is_positional() && argument.get_id().as_str().eq_ignore_ascii_case(positional);
        argument.get_long() == Some(flag) || is_positional()
    });
    own.or_else(|| command.get_subcommands().find_map(|sub| find(sub, shown)))
}

/// A process's settings for the log: `NAME=value`, separated by commas, with secrets masked and defaults marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveSettings(Vec<String>);

impl EffectiveSettings {
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

/// A URL without its password; of any other secret nothing.
fn masked(raw: &str) -> String {
    const SHOWN: &[&str] = &["amqp", "amqps", "postgres", "postgresql", "http", "https"];
    SecretUrl::parse(raw, SHOWN).map_or_else(|_| "…".to_owned(), |url| url.to_string())
}

impl fmt::Display for EffectiveSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

//! `cargo xtask documents`: the committed documents against their specifications, and the API against its document.

mod asyncapi;
mod openapi;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::cargo;
use crate::error::Error;

/// Check contracts/asyncapi.json with AsyncAPI's own parser, and the API against its OpenAPI document with schemathesis.
///
/// Needs node with npm, and Python 3.10 with venv (Debian: nodejs npm python3-venv). The parser and schemathesis are
/// installed into target/documents, in the versions that tests/documents pins. Exits 1 when anything was found.
#[derive(Debug, Args)]
pub struct Options {
    /// Only this document
    #[arg(long, value_enum)]
    only: Option<Document>,
    /// How many requests are generated for each operation, besides the systematic ones; 1000 make some 50,000 in all
    #[arg(long, value_name = "COUNT", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    examples: u32,
    /// What they are drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// How many requests are under way at once; with more than one, CPython 3.11 may stumble over itself
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Document {
    Asyncapi,
    Openapi,
}

pub async fn run(options: Options) -> Result<ExitCode, Error> {
    let chosen = |document| options.only.is_none_or(|only| only == document);
    if chosen(Document::Asyncapi) {
        asyncapi::check()?;
    }
    if chosen(Document::Openapi) {
        return openapi::check(&options).await;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the checks are made of: pinned versions, scripts, settings.
fn sources() -> PathBuf {
    cargo::root().join("tests/documents")
}

/// Where the checks are installed.
fn installed() -> Result<PathBuf, Error> {
    let folder = cargo::folder_of_runs()?.join("documents");
    fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    Ok(folder)
}

fn copy(name: &str, folder: &Path) -> Result<(), Error> {
    let source = sources().join(name);
    fs::copy(&source, folder.join(name)).map(drop).map_err(Error::file(source))
}

/// Whether a copy of this file tells that the same was installed before, and to its end.
fn is_current(name: &str, folder: &Path) -> bool {
    let read = |folder: &Path| fs::read(folder.join(name)).ok();
    read(folder).is_some_and(|copy| Some(copy) == read(&sources()))
}

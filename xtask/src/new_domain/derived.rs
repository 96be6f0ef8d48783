//! Runs what writes derived files: formatting, descriptions of queries, schemas, documents and snapshots.

use std::process::Command;

use super::names::Names;
use crate::cargo::{self, cargo};
use crate::error::Error;
use crate::lint::COMPARISONS;
use crate::sqlx_data;

/// Writes everything that follows from a domain's own files, and runs the domain's tests.
pub async fn write(names: &Names) -> Result<(), Error> {
    cargo::run(cargo(&["fmt", "--all"]))?;
    println!("new-domain: compiling and testing it, on a database of its own");
    sqlx_data::describe_while(tests(names)).await
}

/// One run of cargo for all of it, and of all packages: with fewer, other people's crates would be built once more with fewer
/// features.
fn tests(names: &Names) -> Command {
    let mut tests = cargo(&["test", "--quiet", "--locked", "--workspace", "--lib", "--"]);
    tests.args(COMPARISONS).arg(format!("{}::tests", names.domain()));
    tests.env("UPDATE_SCHEMAS", "1").env("INSTA_UPDATE", "always");
    tests
}

//! The program behind `cargo xtask`.

mod cargo;
mod demo;
mod documents;
mod http;
mod instructions;
mod lint;
mod matrix;
mod place;
mod proof;
mod signals;
mod sqlx_data;
mod stack;
mod test;
mod tool;
mod trouble;
mod up;
mod verb;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    verb::Verb::parse().run().await.unwrap_or_else(trouble::report)
}

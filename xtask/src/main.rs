//! The program behind `cargo xtask`.

mod bench;
mod browser;
mod cargo;
mod chaos;
mod cluster;
mod crash;
mod demo;
mod documents;
mod hostile;
mod http;
mod instructions;
mod lint;
mod matrix;
mod place;
mod proof;
mod siege;
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

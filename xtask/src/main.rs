//! The program behind `cargo xtask`.

mod api;
mod backends;
mod cargo;
mod demo;
mod documents;
mod error;
mod http;
mod instructions;
mod lint;
mod matrix;
mod new_domain;
mod proof;
mod signals;
mod sqlx_data;
mod stack;
mod task;
mod test;
mod tool;
mod up;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    task::Task::parse().run().await.unwrap_or_else(error::report)
}

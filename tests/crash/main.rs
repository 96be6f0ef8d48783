//! `crash-points`: a program dies at every point of a message's life, and what was promised holds all the same.

mod arena;
mod cases;
mod door;
mod killers;
mod load;
mod post_mortem;
mod program;
mod run;
mod tally;
mod worker;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    run::run(run::Options::parse()).await
}

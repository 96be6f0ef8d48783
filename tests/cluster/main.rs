//! `cluster`: Millrace on three RabbitMQ nodes that are killed, frozen, restarted and cut off from each other under load.

mod balancer;
mod broker;
mod checker;
mod configuration;
mod database;
mod docker;
mod faults;
mod history;
mod measures;
mod node;
mod programs;
mod run;
mod scenario;
mod settings;
mod stage;
mod trouble;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match run::run(settings::Settings::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("\ncluster: {trouble}");
            ExitCode::from(2)
        }
    }
}

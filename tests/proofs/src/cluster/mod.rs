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

pub use settings::Settings;

pub async fn run(settings: Settings) -> ExitCode {
    match run::run(settings).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\ncluster: {error}");
            ExitCode::from(2)
        }
    }
}

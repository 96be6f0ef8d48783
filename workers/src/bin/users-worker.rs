//! The users worker: registers users, changes their addresses and closes their accounts.

use std::process::ExitCode;

use clap::Parser;
use millrace_service::Settings;
use millrace_service::settings::TelemetrySettings;
use millrace_workers::effects::NoEffects;
use millrace_workers::runtime::calls::CallLimits;
use millrace_workers::users::Users;
use millrace_workers::worker::{self, WorkerSettings};

/// Works the queue `users`: decides its commands, hears its events, and publishes what follows.
#[derive(Debug, Parser)]
#[command(name = "users-worker", version)]
struct UsersWorker {
    #[command(flatten)]
    worker: WorkerSettings,
}

impl Settings for UsersWorker {
    fn telemetry(&self) -> &TelemetrySettings {
        &self.worker.telemetry
    }
}

fn main() -> ExitCode {
    millrace_service::run(async |settings: UsersWorker, stop| {
        worker::run::<Users, _>("users-worker", settings.worker, NoEffects, CallLimits::none(), stop).await
    })
}

//! The auth worker: keeps passwords and API keys, and shuts out whose account is closed.

use std::process::ExitCode;

use clap::Parser;
use millrace_service::Settings;
use millrace_service::settings::TelemetrySettings;
use millrace_workers::auth::Auth;
use millrace_workers::effects::NoEffects;
use millrace_workers::runtime::calls::CallLimits;
use millrace_workers::worker::{self, WorkerSettings};

/// Works the queue `auth`: decides its commands, hears its events, and publishes what follows.
#[derive(Debug, Parser)]
#[command(name = "auth-worker", version)]
struct AuthWorker {
    #[command(flatten)]
    worker: WorkerSettings,
}

impl Settings for AuthWorker {
    fn telemetry(&self) -> &TelemetrySettings {
        &self.worker.telemetry
    }
}

fn main() -> ExitCode {
    millrace_service::run(async |settings: AuthWorker, stop| {
        worker::run::<Auth, _>("auth-worker", settings.worker, NoEffects, CallLimits::none(), stop).await
    })
}

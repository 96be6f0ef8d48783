//! The payments worker: takes money for orders through the gateway and pays it back.

use std::process::ExitCode;

use clap::Parser;
use millrace_service::Settings;
use millrace_service::settings::TelemetrySettings;
use millrace_workers::payments::Payments;
use millrace_workers::payments::effects::GatewaySettings;
use millrace_workers::runtime::calls::CallLimits;
use millrace_workers::worker::{self, WorkerSettings};

/// Works the queue `payments`: decides its commands, hears its events, calls the gateway, and publishes what follows.
#[derive(Debug, Parser)]
#[command(name = "payments-worker", version)]
struct PaymentsWorker {
    #[command(flatten)]
    worker: WorkerSettings,
    #[command(flatten)]
    gateway: GatewaySettings,
}

impl Settings for PaymentsWorker {
    fn telemetry(&self) -> &TelemetrySettings {
        &self.worker.telemetry
    }
}

fn main() -> ExitCode {
    millrace_service::run(async |settings: PaymentsWorker, stop| {
        let limits =
            CallLimits { deadline: settings.gateway.deadline, concurrency: settings.gateway.concurrency };
        let gateway = settings.gateway.gateway()?;
        worker::run::<Payments, _>("payments-worker", settings.worker, gateway, limits, stop).await
    })
}

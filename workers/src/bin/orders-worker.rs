//! The orders worker: places orders, and confirms or cancels them as payments tells.

use std::process::ExitCode;

use clap::Parser;
use millrace_service::Settings;
use millrace_service::settings::TelemetrySettings;
use millrace_workers::effects::NoEffects;
use millrace_workers::orders::Orders;
use millrace_workers::runtime::calls::CallLimits;
use millrace_workers::worker::{self, WorkerSettings};

/// Works the queue `orders`: decides its commands, hears its events, and publishes what follows.
#[derive(Debug, Parser)]
#[command(name = "orders-worker", version)]
struct OrdersWorker {
    #[command(flatten)]
    worker: WorkerSettings,
}

impl Settings for OrdersWorker {
    fn telemetry(&self) -> &TelemetrySettings {
        &self.worker.telemetry
    }
}

fn main() -> ExitCode {
    millrace_service::run(async |settings: OrdersWorker, stop| {
        worker::run::<Orders, _>("orders-worker", settings.worker, NoEffects, CallLimits::none(), stop).await
    })
}

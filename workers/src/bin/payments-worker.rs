//! The payments worker: takes money for orders through the gateway and pays it back.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use millrace_service::Settings;
use millrace_service::settings::TelemetrySettings;
use millrace_workers::payments::Payments;
use millrace_workers::payments::effects::{Gateway, SandboxGateway};
use millrace_workers::worker::{self, GatewaySettings, WorkerSettings};

/// Works the queue `payments`: decides its commands, hears its events, and publishes what follows. The gateway is the
/// sandbox, which moves no money and decides by the payment method (pm_ok, pm_declined, pm_timeout, pm_flaky).
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
        let gateway = Gateway(Arc::new(SandboxGateway));
        let limits = settings.gateway.limits();
        worker::run::<Payments, _>("payments-worker", settings.worker, gateway, limits, stop).await
    })
}

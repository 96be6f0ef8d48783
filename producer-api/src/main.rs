//! The binary `producer-api`: reads its settings, starts the API, and stops it on SIGTERM or SIGINT.

use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory;
use millrace_service::LogAlerts;
use producer_api::{ApiServer, ApiSettings};

fn main() -> ExitCode {
    millrace_service::process::run(ApiSettings::command(), async |settings: ApiSettings, stop| {
        let mut api = ApiServer::start(settings, millrace_contracts::catalog(), Arc::new(LogAlerts)).await?;
        tokio::select! {
            () = stop.cancelled() => {
                api.stop().await;
                Ok(())
            }
            bug = api.broke_down() => Err(bug),
        }
    })
}

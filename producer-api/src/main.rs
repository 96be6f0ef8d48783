//! The binary `producer-api`: reads its settings, opens the door, and closes it when it is asked to.

use std::process::ExitCode;
use std::sync::Arc;

use millrace_service::LogAlerts;
use producer_api::{Door, DoorSettings};

fn main() -> ExitCode {
    millrace_service::run(async |settings: DoorSettings, stop| {
        let door = Door::open(settings, Arc::new(LogAlerts)).await?;
        stop.cancelled().await;
        door.close().await;
        Ok(())
    })
}

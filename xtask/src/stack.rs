//! All of Millrace, running: tables and queues made, the API and one worker per domain started.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use millrace_stack::services::watchdog::Watchdog;
use millrace_stack::stack::program::Log;
use millrace_stack::stack::{Launcher, Secrets, Units, free_address};

use crate::api::ApiClient;
use crate::backends::Backends;
use crate::cargo;
use crate::error::Error;

const READY_DEADLINE: Duration = Duration::from_secs(30);
/// Longer than the programs' own deadline for finishing what they have begun.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// The running programs. Dropped without having been stopped, they are killed.
#[derive(Debug)]
pub struct Stack {
    pub api: ApiClient,
    units: Units,
}

/// Where the API listens, and who is let in.
#[derive(Debug)]
pub struct ApiSettings {
    pub listen: SocketAddr,
    pub secrets: Secrets,
}

impl ApiSettings {
    /// On a free port, with secrets that nobody has seen before.
    pub fn random() -> Result<Self, Error> {
        Ok(Self { listen: free_address()?, secrets: Secrets::random() })
    }
}

impl Stack {
    /// Makes tables and queues, starts all programs and waits until each says that it is ready.
    pub async fn start(
        programs: &Path,
        backends: &Backends,
        settings: ApiSettings,
        log: Log,
    ) -> Result<Self, Error> {
        let watchdog = Watchdog::start()
            .map_err(|source| Error::NotStarted { command: "/bin/sh".to_owned(), source })?;
        let launcher = Launcher {
            programs: programs.to_owned(),
            log,
            // As in the images: the AMQP client descends into nested headers on its thread's stack.
            environment: vec![("RUST_MIN_STACK".to_owned(), (64 << 20).to_string())],
            watchdog: Arc::new(watchdog),
        };
        let addresses = &backends.addresses;
        launcher.prepare(addresses)?;
        let ApiSettings { listen, secrets } = settings;
        let units = launcher.system(&[listen], (&cargo::domains()?, 1), &secrets, [addresses, addresses])?;
        let api = ApiClient::new(format!("http://{listen}"), secrets.api_key)?;
        units.until_ready(READY_DEADLINE).await?;
        Ok(Self { api, units })
    }

    /// Starts again whatever has ended, and returns what that was.
    pub async fn revive(&self) -> Result<Vec<(String, ExitStatus)>, Error> {
        let mut revived = Vec::new();
        for (unit, status) in self.units.ended().await {
            let restarted = unit.program.lock().await.start_again(&self.units.watchdog);
            restarted.map_err(|source| Error::NotStarted { command: unit.name.clone(), source })?;
            revived.push((unit.name.clone(), status));
        }
        Ok(revived)
    }

    /// Those that have ended, though nobody asked them to.
    pub async fn ended(&self) -> Vec<(String, ExitStatus)> {
        let ended = self.units.ended().await.into_iter();
        ended.map(|(unit, status)| (unit.name.clone(), status)).collect()
    }

    /// Has a file removed when the stack ends, however it ends.
    pub fn remove_at_end(&self, file: &Path) -> Result<(), Error> {
        self.units.watchdog.remove(file).map_err(Error::file(file))
    }

    /// Lets all programs finish their work; returns the names of those that did not in time and were killed.
    pub async fn stop(self) -> Vec<String> {
        let stopped = self.units.iter().map(|unit| unit.stop(STOP_DEADLINE));
        let stopped = futures_util::future::join_all(stopped).await;
        let mut killed = Vec::new();
        for (unit, _) in self.units.iter().zip(stopped).filter(|(_, stopped)| stopped.is_err()) {
            // If this fails, it has just ended by itself.
            let _ = unit.program.lock().await.kill();
            killed.push(unit.name.clone());
        }
        killed
    }
}

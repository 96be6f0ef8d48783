//! The programs of Millrace as processes: a door, and two workers of each domain.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use millrace_harness::services::ports;
use millrace_harness::services::watchdog::Watchdog;

use crate::broker::until;
use crate::trouble::Trouble;

const DOOR: &str = "producer-api";
const WORKERS: [&str; 4] = ["auth-worker", "users-worker", "orders-worker", "payments-worker"];
const WORKERS_EACH: usize = 2;
const READY_DEADLINE: Duration = Duration::from_secs(60);
const LOG_TAIL_LINES: usize = 15;

/// Where the programs find their servers.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub amqp_url: String,
    pub management_url: String,
    pub database_url: String,
}

/// Where jobs are posted.
#[derive(Debug)]
pub struct Door {
    pub url: String,
    pub api_key: String,
}

#[derive(Debug)]
pub struct Programs {
    pub door: Door,
    running: Vec<Program>,
}

#[derive(Debug)]
struct Program {
    name: String,
    child: Child,
    log: PathBuf,
    probe: String,
}

impl Programs {
    /// Makes tables and queues, starts all programs and waits until each says that it is ready.
    pub async fn start(
        folder: &Path,
        logs: &Path,
        addresses: &Addresses,
        watchdog: &Watchdog,
    ) -> Result<Self, Trouble> {
        for arguments in [&["migrate"][..], &["topology", "apply"]] {
            ops(folder, arguments, addresses).await?;
        }
        let [door_port] = ports::free().map_err(Trouble::file("a free port"))?;
        let listen = format!("127.0.0.1:{door_port}");
        let api_key = format!("dev-{}{}", ports::password(), ports::password());
        let mut programs =
            Self { door: Door { url: format!("http://{listen}"), api_key }, running: Vec::new() };
        for name in WORKERS {
            for number in 1..=WORKERS_EACH {
                let [port] = ports::free().map_err(Trouble::file("a free port"))?;
                let listen = format!("127.0.0.1:{port}");
                let mut command = command(folder, name, addresses);
                command.env("PROBES_LISTEN", &listen);
                programs.spawn(format!("{name}-{number}"), command, &listen, logs, watchdog)?;
            }
        }
        let mut command = command(folder, DOOR, addresses);
        let secret = [ports::password(), ports::password(), ports::password()].concat();
        command
            .env("API_LISTEN", &listen)
            .env("DEV_API_KEY", &programs.door.api_key)
            .env("JOB_ID_SECRET", secret);
        programs.spawn(DOOR.to_owned(), command, &listen, logs, watchdog)?;
        programs.until_ready().await?;
        Ok(programs)
    }

    fn spawn(
        &mut self,
        name: String,
        mut command: Command,
        listen: &str,
        logs: &Path,
        watchdog: &Watchdog,
    ) -> Result<(), Trouble> {
        let log = logs.join(format!("{name}.log"));
        let file = File::create(&log).map_err(Trouble::file(&log))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let not_started = |source| Trouble::NotStarted { command: name.clone(), source };
        let child = watchdog.spawn(&mut command).map_err(not_started)?;
        self.running.push(Program { name, child, log, probe: format!("http://{listen}/readyz") });
        Ok(())
    }

    /// Until each says that it is ready.
    pub async fn until_ready(&self) -> Result<(), Trouble> {
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| Trouble::Other(error.to_string()))?;
        for program in &self.running {
            let ready = async || match client.get(&program.probe).send().await {
                Ok(answer) if answer.status().is_success() => Ok(()),
                Ok(answer) => Err(answer.text().await.unwrap_or_default()),
                Err(error) => Err(error.without_url().to_string()),
            };
            let outcome = until(&format!("{} to be ready", program.name), READY_DEADLINE, ready).await;
            outcome.inspect_err(|_| eprintln!("--- {}\n{}", program.name, program.log_tail()))?;
        }
        Ok(())
    }

    /// Those that have ended, though nobody asked them to.
    pub fn ended(&mut self) -> Vec<String> {
        let ended = |program: &mut Program| {
            let status = program.child.try_wait().ok().flatten()?;
            Some(format!("{} ended ({status}): {}", program.name, program.log_tail()))
        };
        self.running.iter_mut().filter_map(ended).collect()
    }
}

impl Program {
    fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }
}

fn command(folder: &Path, name: &str, addresses: &Addresses) -> Command {
    let mut command = Command::new(folder.join(name));
    command
        .env("AMQP_URL", &addresses.amqp_url)
        .env("AMQP_MANAGEMENT_URL", &addresses.management_url)
        .env("DATABASE_URL", &addresses.database_url);
    command
}

async fn ops(folder: &Path, arguments: &[&str], addresses: &Addresses) -> Result<(), Trouble> {
    let mut command = tokio::process::Command::from(command(folder, "ops", addresses));
    let line = format!("ops {}", arguments.join(" "));
    let output = command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|source| Trouble::NotStarted { command: line.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Trouble::Failed { command: line, said: String::from_utf8_lossy(&output.stderr).into_owned() })
}

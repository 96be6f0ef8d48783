//! The programs of Millrace as processes: a door, and two workers of each domain.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use millrace_testkit::services::ports;
use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::stack::program::{Log, Program};

use crate::cluster::broker::until;
use crate::cluster::trouble::Trouble;

const DOOR: &str = "producer-api";
const WORKERS: [&str; 4] = ["auth-worker", "users-worker", "orders-worker", "payments-worker"];
const WORKERS_EACH: usize = 2;
const READY_DEADLINE: Duration = Duration::from_secs(60);

/// Where the programs find their servers.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub amqp_url: String,
    pub management_url: String,
    pub database_url: String,
}

impl Addresses {
    fn environment(&self) -> [(&str, &str); 3] {
        [
            ("AMQP_URL", &self.amqp_url),
            ("AMQP_MANAGEMENT_URL", &self.management_url),
            ("DATABASE_URL", &self.database_url),
        ]
    }
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
    running: Vec<Running>,
}

#[derive(Debug)]
struct Running {
    program: Program,
    probe: String,
}

/// With what programs are started.
struct Starter<'a> {
    folder: &'a Path,
    logs: &'a Path,
    addresses: &'a Addresses,
    watchdog: &'a Watchdog,
}

impl Starter<'_> {
    fn start(
        &self,
        name: &str,
        called: &str,
        listen: &str,
        own: &[(&str, &str)],
    ) -> Result<Running, Trouble> {
        let given = self.addresses.environment().into_iter().chain(own.iter().copied());
        let environment = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let log = Log::Files(self.logs.to_owned());
        let program = Program::start(called, &self.folder.join(name), environment, log, self.watchdog);
        let program = program.map_err(|source| Trouble::NotStarted { command: called.to_owned(), source })?;
        Ok(Running { program, probe: format!("http://{listen}/readyz") })
    }
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
        let starter = Starter { folder, logs, addresses, watchdog };
        let mut running = Vec::new();
        for name in WORKERS {
            for number in 1..=WORKERS_EACH {
                let listen = free_address()?;
                let own = [("PROBES_LISTEN", listen.as_str())];
                running.push(starter.start(name, &format!("{name}-{number}"), &listen, &own)?);
            }
        }
        let listen = free_address()?;
        let api_key = format!("dev-{}{}", ports::password(), ports::password());
        let secret = [ports::password(), ports::password(), ports::password()].concat();
        let own = [("API_LISTEN", listen.as_str()), ("DEV_API_KEY", &api_key), ("JOB_ID_SECRET", &secret)];
        running.push(starter.start(DOOR, DOOR, &listen, &own)?);
        let programs = Self { door: Door { url: format!("http://{listen}"), api_key }, running };
        programs.until_ready().await?;
        Ok(programs)
    }

    /// Until each says that it is ready.
    pub async fn until_ready(&self) -> Result<(), Trouble> {
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| Trouble::Other(error.to_string()))?;
        for Running { program, probe } in &self.running {
            let ready = async || match client.get(probe).send().await {
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
        let ended = |Running { program, .. }: &mut Running| {
            let status = program.ended()?;
            Some(format!("{} ended ({status}): {}", program.name, program.log_tail()))
        };
        self.running.iter_mut().filter_map(ended).collect()
    }
}

fn free_address() -> Result<String, Trouble> {
    let [port] = ports::free().map_err(Trouble::file("a free port"))?;
    Ok(format!("127.0.0.1:{port}"))
}

async fn ops(folder: &Path, arguments: &[&str], addresses: &Addresses) -> Result<(), Trouble> {
    let mut command = tokio::process::Command::new(folder.join("ops"));
    let line = format!("ops {}", arguments.join(" "));
    let output = command
        .envs(addresses.environment())
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.map_err(|source| Trouble::NotStarted { command: line.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    Err(Trouble::Failed { command: line, said: String::from_utf8_lossy(&output.stderr).into_owned() })
}

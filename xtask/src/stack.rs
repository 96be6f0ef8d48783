//! The whole of Millrace, running: tables and queues made, the door and one worker per domain started.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use millrace_stack::services::ports;
use millrace_stack::services::watchdog::Watchdog;
use millrace_stack::stack::program::{self, Log, Program};

use crate::cargo;
use crate::http::{self, Door};
use crate::place::Place;
use crate::trouble::Trouble;

pub const DOOR: &str = "producer-api";
pub const WORKERS: [&str; 4] = ["auth-worker", "users-worker", "orders-worker", "payments-worker"];

const READY_DEADLINE: Duration = Duration::from_secs(30);
/// Longer than the programs' own deadline for finishing what they have begun.
const STOP_DEADLINE: Duration = Duration::from_secs(15);

#[derive(Debug)]
pub struct Stack {
    pub door: Door,
    processes: Vec<Program>,
    // After the processes: they are stopped in order first, and killed with it if that was left out.
    watchdog: Watchdog,
}

/// What a run of the door is to be.
#[derive(Debug)]
pub struct DoorSettings {
    /// `address:port`
    pub listen: String,
    pub api_key: String,
    pub job_id_secret: String,
}

impl DoorSettings {
    /// On a free port, with secrets that nobody has seen before.
    pub fn new() -> Result<Self, Trouble> {
        let [port] =
            ports::free().map_err(|source| Trouble::NotStarted { command: DOOR.to_owned(), source })?;
        Ok(Self {
            listen: format!("127.0.0.1:{port}"),
            api_key: format!("dev-{}{}", ports::password(), ports::password()),
            job_id_secret: format!("{}{}{}", ports::password(), ports::password(), ports::password()),
        })
    }
}

impl Stack {
    /// Makes tables and queues, starts all programs and waits until each says that it is ready.
    pub async fn start(
        programs: &Path,
        place: &Place,
        settings: DoorSettings,
        log: Log,
    ) -> Result<Self, Trouble> {
        prepare(programs, place)?;
        let watchdog = Watchdog::start()
            .map_err(|source| Trouble::NotStarted { command: "/bin/sh".to_owned(), source })?;
        let probes: [u16; WORKERS.len()] =
            ports::free().map_err(|source| Trouble::NotStarted { command: WORKERS[0].to_owned(), source })?;
        let mut processes = Vec::new();
        for (name, port) in WORKERS.into_iter().zip(probes) {
            let mut environment = shared_environment(place);
            environment.push(("PROBES_LISTEN", format!("127.0.0.1:{port}")));
            processes.push(start(name, programs, environment, log.clone(), &watchdog)?);
        }
        let door = Door::new(format!("http://{}", settings.listen), settings.api_key.clone())?;
        let mut environment = shared_environment(place);
        environment.push(("API_LISTEN", settings.listen.clone()));
        environment.push(("DEV_API_KEY", settings.api_key));
        environment.push(("JOB_ID_SECRET", settings.job_id_secret));
        processes.push(start(DOOR, programs, environment, log, &watchdog)?);

        let mut stack = Self { door, processes, watchdog };
        let probes = probes.map(|port| format!("127.0.0.1:{port}"));
        for (index, listen) in probes.iter().chain([&settings.listen]).enumerate() {
            stack.until_ready(index, listen).await?;
        }
        Ok(stack)
    }

    /// Starts again whatever has ended, and returns what that was.
    pub fn revive(&mut self) -> Result<Vec<(String, ExitStatus)>, Trouble> {
        let mut ended = Vec::new();
        for process in &mut self.processes {
            if let Some(status) = process.ended() {
                process
                    .start_again(&self.watchdog)
                    .map_err(|source| Trouble::NotStarted { command: process.name.clone(), source })?;
                ended.push((process.name.clone(), status));
            }
        }
        Ok(ended)
    }

    /// Those that have ended, though nobody asked them to.
    pub fn ended(&mut self) -> Vec<(String, ExitStatus)> {
        let ended = |process: &mut Program| process.ended().map(|status| (process.name.clone(), status));
        self.processes.iter_mut().filter_map(ended).collect()
    }

    /// Has a file removed when the stack ends, however it ends.
    pub fn remove_at_end(&self, file: &Path) -> Result<(), Trouble> {
        self.watchdog.remove(file).map_err(Trouble::file(file))
    }

    /// Lets all finish what they have begun; returns the names of those that did not in time and were killed.
    pub fn stop(mut self) -> Vec<String> {
        program::stop_all(&mut self.processes, STOP_DEADLINE)
    }

    async fn until_ready(&mut self, index: usize, listen: &str) -> Result<(), Trouble> {
        let client = http::client()?;
        let url = format!("http://{listen}/readyz");
        let until = Instant::now() + READY_DEADLINE;
        loop {
            let process = &mut self.processes[index];
            let reason = match client.get(&url).send().await {
                Ok(response) if response.status().is_success() => return Ok(()),
                Ok(response) => response.text().await.unwrap_or_default(),
                Err(error) => error.without_url().to_string(),
            };
            let ended = process.ended().map(|status| format!("it ended with {status}"));
            if ended.is_some() || Instant::now() > until {
                return Err(Trouble::NotReady {
                    name: process.name.clone(),
                    deadline_s: READY_DEADLINE.as_secs(),
                    reason: ended.unwrap_or(reason),
                    log: process.log_tail(),
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn start(
    name: &'static str,
    programs: &Path,
    environment: Vec<(&'static str, String)>,
    log: Log,
    watchdog: &Watchdog,
) -> Result<Program, Trouble> {
    let path = programs.join(name);
    let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Program::start(name, &path, environment, log, watchdog)
        .map_err(|source| Trouble::NotStarted { command: path.display().to_string(), source })
}

/// Tables, then queues. Both may be there already.
fn prepare(programs: &Path, place: &Place) -> Result<(), Trouble> {
    for arguments in [&["migrate"][..], &["topology", "apply"]] {
        let mut ops = Command::new(programs.join("ops"));
        ops.args(arguments).envs(shared_environment(place));
        cargo::run_quietly(ops)?;
    }
    Ok(())
}

fn shared_environment(place: &Place) -> Vec<(&'static str, String)> {
    vec![
        ("AMQP_URL", place.amqp_url.clone()),
        ("AMQP_MANAGEMENT_URL", place.management_url.clone()),
        ("DATABASE_URL", place.database_url.clone()),
        // As in the images: the AMQP client descends into nested headers on its thread's stack.
        ("RUST_MIN_STACK", (64 << 20).to_string()),
    ]
}

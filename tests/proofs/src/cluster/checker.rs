//! The checker beside us: it posts the load, and says at the end whether the promise held.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use millrace_testkit::services::watchdog::Watchdog;

use crate::cluster::programs::{Addresses, Door};
use crate::cluster::trouble::Trouble;

/// The broker itself waits up to 180 s before it moves an expired message again whose target was away.
const QUIET_WITHIN_S: &str = "240";
const DEADLINE: Duration = Duration::from_secs(400);
const LOOK_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct Checker {
    child: Child,
    stdin: ChildStdin,
}

/// What is posted.
#[derive(Debug)]
pub struct Load {
    pub jobs: u64,
    pub over: Duration,
    pub seed: u64,
}

impl Checker {
    /// Begins to post at once.
    pub fn start(
        load: &Load,
        door: &Door,
        addresses: &Addresses,
        folder: &Path,
        watchdog: &Watchdog,
    ) -> Result<Self, Trouble> {
        let not_started = |source| Trouble::NotStarted { command: "checker".to_owned(), source };
        let mut command = Command::new(std::env::current_exe().map_err(not_started)?);
        command.arg("checker");
        command.args(["--door", &door.url, "--api-key", &door.api_key, "--vhost", "/"]);
        command.args(["--amqp-url", &addresses.amqp_url, "--management-url", &addresses.management_url]);
        command.args(["--database-url", &addresses.database_url, "--quiet-within", QUIET_WITHIN_S]);
        command.args(["--jobs", &load.jobs.to_string(), "--over", &load.over.as_secs().to_string()]);
        command.args(["--seed", &load.seed.to_string()]).arg("--history").arg(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = watchdog.spawn(&mut command).map_err(not_started)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Trouble::Other("the checker has no pipes".to_owned()));
        };
        // Its counts are in its history too; they are read only so that it is not held up.
        std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).for_each(drop));
        Ok(Self { child, stdin })
    }

    /// Tells it that nothing is broken any more, and waits for its verdict, which it prints itself.
    pub async fn verdict(mut self) -> Result<bool, Trouble> {
        let gone = |error: std::io::Error| Trouble::Other(format!("the checker does not listen: {error}"));
        self.stdin.write_all(b"healed\n").map_err(gone)?;
        let ended = async {
            loop {
                match self.child.try_wait() {
                    Ok(None) => tokio::time::sleep(LOOK_PAUSE).await,
                    Ok(Some(status)) => return Ok(status),
                    Err(error) => return Err(gone(error)),
                }
            }
        };
        let late = |_| Trouble::Late {
            what: "the checker's verdict".to_owned(),
            deadline_s: DEADLINE.as_secs(),
            seen: "it still waits".to_owned(),
        };
        let status = tokio::time::timeout(DEADLINE, ended).await.map_err(late)??;
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(Trouble::Other(format!("the checker could not check ({status})"))),
        }
    }
}

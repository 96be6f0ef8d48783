//! The `docker` command, and a network that goes when its run goes.

use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use millrace_testkit::services::watchdog::Watchdog;
use tokio::time::timeout;

use crate::error::Error;

const DEADLINE: Duration = Duration::from_secs(120);
/// How often another subnet is tried when one is taken.
const SUBNETS: u8 = 20;

/// Runs `docker` with these arguments and returns what it printed.
pub async fn docker<A: AsRef<str>>(arguments: &[A]) -> Result<String, Error> {
    run("docker", arguments).await
}

/// Runs a program to its end and returns what it printed.
pub async fn run<A: AsRef<str>>(program: &str, arguments: &[A]) -> Result<String, Error> {
    let line = arguments.iter().take(3).fold(program.to_owned(), |line, next| line + " " + next.as_ref());
    let mut command = tokio::process::Command::new(program);
    command.args(arguments.iter().map(AsRef::as_ref)).stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(DEADLINE, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(Error::doing(line)(error)),
        Err(_) => return Err(Error::late(format!("the end of `{line}`"), DEADLINE, "it was ended")),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(Error::new(line, String::from_utf8_lossy(&output.stderr).trim()))
}

/// A bridge of this run's own, with endpoints that containers keep across restarts. The watchdog removes it.
#[derive(Debug)]
pub struct Network {
    pub name: String,
    /// The first three numbers of its endpoints, such as `10.213.7`.
    prefix: String,
}

impl Network {
    pub async fn create(run: &str, watchdog: &Watchdog) -> Result<Self, Error> {
        let name = format!("millrace-{run}");
        watchdog.remove_network(&name)?;
        // Where the search begins differs between runs, so that two at once rarely want the same.
        let begin = u8::try_from(std::process::id() % 200).unwrap_or_default();
        let mut refusal = Error::new("a network", "no subnet was tried");
        for third in begin..begin + SUBNETS {
            let prefix = format!("10.213.{third}");
            let (subnet, label) = (format!("{prefix}.0/24"), format!("millrace.run={run}"));
            match docker(&["network", "create", "--label", &label, "--subnet", &subnet, &name]).await {
                Ok(_) => return Ok(Self { name, prefix }),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    pub fn address(&self, last: u8) -> Result<IpAddr, Error> {
        format!("{}.{last}", self.prefix).parse().map_err(Error::doing("an address"))
    }
}

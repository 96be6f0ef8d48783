//! The `docker` command, and a network that goes when its run goes.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::timeout;

use crate::error::Error;

const DEADLINE: Duration = Duration::from_secs(120);
/// How often another subnet is tried when one is taken.
const SUBNETS: u8 = 20;

/// Removes the network once our end of its input is closed, whatever closed it, and its containers are gone.
const GUARD: &str = r#"
trap '' HUP INT QUIT TERM PIPE
cat >/dev/null
passes=200
while [ "$passes" -gt 0 ]; do
    docker network rm "$1" && exit
    docker network inspect "$1" || passes=$((passes - 20))
    passes=$((passes - 1))
    sleep 0.3
done
"#;

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

/// A bridge of this run's own, with endpoints that containers keep across restarts.
///
/// To be dropped after whatever removes the containers in it.
#[derive(Debug)]
pub struct Network {
    pub name: String,
    /// The first three numbers of its endpoints, such as `10.213.7`.
    prefix: String,
    guard: Child,
}

impl Network {
    pub async fn create(run: &str) -> Result<Self, Error> {
        let name = format!("millrace-{run}");
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "millrace-watchdog", &name])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::file("/bin/sh"))?;
        let mut network = Self { name, prefix: String::new(), guard };
        // Where the search begins differs between runs, so that two at once rarely want the same.
        let begin = u8::try_from(std::process::id() % 200).unwrap_or_default();
        let mut refusal = None;
        for third in begin..begin + SUBNETS {
            network.prefix = format!("10.213.{third}");
            let subnet = format!("{}.0/24", network.prefix);
            let label = format!("millrace.run={run}");
            match docker(&["network", "create", "--label", &label, "--subnet", &subnet, &network.name]).await
            {
                Ok(_) => return Ok(network),
                Err(error) => refusal = Some(error),
            }
        }
        Err(refusal.unwrap_or_else(|| Error::new("a network", "no subnet was tried")))
    }

    pub fn address(&self, last: u8) -> String {
        format!("{}.{last}", self.prefix)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // The shell has no way to fail but to be killed.
        let _ = self.guard.wait();
    }
}

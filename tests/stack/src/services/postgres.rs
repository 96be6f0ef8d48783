//! A private PostgreSQL: a cluster of its own, reachable over loopback only, as durable as in production.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::programs::Programs;
use super::watchdog::Watchdog;
use super::{ServicesError, ports};

pub(super) const USER: &str = "millrace";
pub(super) const DATABASE: &str = "millrace";

/// Room for many tests at once. `fsync` and `synchronous_commit` stay on, because durability is what is tested.
pub(super) const SETTINGS: [&str; 2] = ["max_connections=300", "shared_buffers=256MB"];

#[derive(Debug)]
pub(super) struct Cluster {
    server: Child,
    /// What started it, and can start it again on what it has left.
    command: Command,
    log: PathBuf,
    pub database_url: String,
    /// The database that every cluster has, through which ours is created.
    pub maintenance_url: String,
}

/// Creates a cluster and starts it; does not wait until it answers.
pub(super) fn start(
    programs: &Programs,
    directory: &Path,
    watchdog: &Watchdog,
) -> Result<Cluster, ServicesError> {
    let [port] = ports::free().map_err(ServicesError::io("looking for a free port"))?;
    let password = ports::password();
    let owner = owner().map_err(ServicesError::io("reading /etc/passwd"))?;
    let data = directory.join("data");
    let log = directory.join("output.log");
    initdb(programs, directory, &data, owner, &password)?;

    let start = || {
        let output = File::create(&log)?;
        let mut command = Command::new(programs.postgres_bin.join("postgres"));
        run_as(&mut command, owner);
        command.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        let loopback_only = ["listen_addresses=127.0.0.1", "unix_socket_directories="];
        // Shared memory as files of the cluster, which are removed with it even after SIGKILL.
        for setting in
            SETTINGS.iter().chain(&loopback_only).chain(&["dynamic_shared_memory_type=mmap", "lc_messages=C"])
        {
            command.args(["-c", setting]);
        }
        command.current_dir(directory).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let server = spawn(&mut command, watchdog)?;
        Ok((server, command))
    };
    let url = |database| format!("postgres://{USER}:{password}@127.0.0.1:{port}/{database}?sslmode=disable");
    let (server, command) = start().map_err(ServicesError::io("starting postgres"))?;
    Ok(Cluster { server, command, database_url: url(DATABASE), maintenance_url: url("postgres"), log })
}

fn spawn(command: &mut Command, watchdog: &Watchdog) -> io::Result<Child> {
    let server = watchdog.spawn(command)?;
    watchdog.quit_first(server.id())?;
    Ok(server)
}

fn initdb(
    programs: &Programs,
    directory: &Path,
    data: &Path,
    owner: Option<Owner>,
    password: &str,
) -> Result<(), ServicesError> {
    let password_file = directory.join("password");
    let prepare = || {
        fs::create_dir(directory)?;
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&password_file)?
            .write_all(password.as_bytes())?;
        if let Some(owner) = owner {
            chown(directory, Some(owner.user), Some(owner.group))?;
            chown(&password_file, Some(owner.user), Some(owner.group))?;
        }
        let mut command = Command::new(programs.postgres_bin.join("initdb"));
        run_as(&mut command, owner);
        command.arg("-D").arg(data).arg("--pwfile").arg(&password_file);
        command.args(["--username", USER, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]);
        // What initdb writes may be lost with the machine; what the server writes later may not.
        command.args(["--no-sync", "--no-instructions"]);
        command.current_dir(directory).stdin(Stdio::null()).output()
    };
    let output = prepare()
        .map_err(ServicesError::io(format!("creating a PostgreSQL cluster in {}", data.display())))?;
    if output.status.success() {
        return Ok(());
    }
    Err(ServicesError::Start {
        server: "PostgreSQL",
        reason: format!("initdb ended with {}", output.status),
        log: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    })
}

impl Cluster {
    pub(super) fn pid(&self) -> u32 {
        self.server.id()
    }

    pub(super) fn ended(&mut self) -> io::Result<Option<String>> {
        Ok(self.server.try_wait()?.map(|status| format!("it ended with {status}")))
    }

    /// After it has ended: the same cluster on the same port, with the data that is there.
    pub(super) fn start_again(&mut self, watchdog: &Watchdog) -> io::Result<()> {
        watchdog.forget(self.server.id())?;
        self.server.wait()?;
        self.server = spawn(&mut self.command, watchdog)?;
        Ok(())
    }

    pub(super) fn logs(&self) -> Vec<PathBuf> {
        vec![self.log.clone()]
    }

    /// Takes note of the end that the watchdog has brought about.
    pub(super) fn reap(&mut self) {
        let _ = self.server.wait();
    }
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

/// PostgreSQL refuses to run as root, so root hands it to `postgres`, or to `nobody` where there is no such user.
fn owner() -> io::Result<Option<Owner>> {
    if !super::private::is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let matches = fields.next() == Some(name);
            let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
            matches.then_some(Owner { user, group })
        })
    };
    let found = find("postgres").or_else(|| find("nobody"));
    found.map(Some).ok_or_else(|| {
        io::Error::other("neither the user `postgres` nor `nobody` is there to run PostgreSQL as")
    })
}

fn run_as(command: &mut Command, owner: Option<Owner>) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        // The shell we run in may be set up for another cluster or another language.
        if text.starts_with("PG") || text.starts_with("LC_") || text == "LANG" {
            command.env_remove(name);
        }
    }
    if let Some(owner) = owner {
        command.uid(owner.user).gid(owner.group);
    }
}

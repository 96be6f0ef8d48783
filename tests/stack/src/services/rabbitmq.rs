//! A private RabbitMQ: own node name, ports, data, cookie and port mapper, all inside one directory.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ports;
use super::programs::Programs;
use super::watchdog::Watchdog;

pub(super) const USER: &str = "millrace";

/// For small machines that also compile: a small Raft log, an absolute limit instead of a share of the memory. And
/// statistics each second instead of each five, since people and tests look at queue depths.
pub(super) const SETTINGS: &str = "\
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 64000000
collect_statistics_interval = 1000
";

/// What has no name in the new-style file of RabbitMQ 3.10: the same interval for quorum queues, and after how long a dead
/// letter, such as a retry whose time has come, is offered again to a queue that was full (three minutes otherwise).
pub(super) const ADVANCED_SETTINGS: &str = "\
[{rabbit, [{quorum_tick_interval, 1000}, {dead_letter_worker_publisher_confirm_timeout, 5000}]}].
";

#[derive(Debug)]
pub(super) struct Node {
    server: Child,
    /// What started it, and can start it again on what it has left.
    command: Command,
    epmd: Option<Child>,
    directory: PathBuf,
    pub amqp_url: String,
    pub management_url: String,
}

/// Starts a node and does not wait for it.
pub(super) fn start(programs: &Programs, directory: &Path, watchdog: &Watchdog) -> io::Result<Node> {
    let [amqp_port, management_port, distribution_port, epmd_port] = ports::free()?;
    let password = ports::password();
    // Its files hold the password.
    fs::DirBuilder::new().mode(0o700).create(directory)?;
    fs::write(directory.join("enabled_plugins"), "[rabbitmq_management].\n")?;
    fs::write(directory.join("advanced.config"), ADVANCED_SETTINGS)?;
    fs::write(
        directory.join("rabbitmq.conf"),
        format!(
            "listeners.tcp.local = 127.0.0.1:{amqp_port}\n\
             management.tcp.ip = 127.0.0.1\n\
             management.tcp.port = {management_port}\n\
             default_user = {USER}\n\
             default_pass = {password}\n\
             log.file.level = info\n\
             {SETTINGS}"
        ),
    )?;

    // Erlang would start a port mapper that serves the whole machine and stays; ours is there first and goes with us.
    let epmd = programs
        .epmd
        .as_ref()
        .map(|epmd| {
            let mut command = Command::new(epmd);
            command.args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
            watchdog.spawn(
                command
                    .current_dir(directory)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null()),
            )
        })
        .transpose()?;

    let output = File::create(directory.join("output.log"))?;
    let mut command = Command::new(&programs.rabbitmq_server);
    forget_own_settings(&mut command);
    command
        .env("HOME", directory)
        .env("ERL_EPMD_PORT", epmd_port.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODENAME", format!("millrace-{amqp_port}@localhost"))
        .env("RABBITMQ_NODE_PORT", amqp_port.to_string())
        .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_CONF_ENV_FILE", directory.join("no-rabbitmq-env.conf"))
        .env("RABBITMQ_CONFIG_FILE", directory.join("rabbitmq.conf"))
        .env("RABBITMQ_CONFIG_FILES", directory.join("no-conf.d/*.conf"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", directory.join("advanced.config"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("enabled_plugins"))
        .env("RABBITMQ_MNESIA_BASE", directory.join("data"))
        .env("RABBITMQ_LOG_BASE", directory.join("log"))
        .env("RABBITMQ_PID_FILE", directory.join("pid"));
    command.current_dir(directory).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    Ok(Node {
        server: watchdog.spawn(&mut command)?,
        command,
        epmd,
        directory: directory.to_owned(),
        amqp_url: format!("amqp://{USER}:{password}@127.0.0.1:{amqp_port}/%2f"),
        management_url: format!("http://{USER}:{password}@127.0.0.1:{management_port}"),
    })
}

impl Node {
    /// The Erlang VM, not the script that started it.
    pub(super) fn pid(&self) -> u32 {
        let written = fs::read_to_string(self.directory.join("pid")).ok();
        written.and_then(|pid| pid.trim().parse().ok()).unwrap_or_else(|| self.server.id())
    }

    pub(super) fn ended(&mut self) -> io::Result<Option<String>> {
        Ok(self.server.try_wait()?.map(|status| format!("it ended with {status}")))
    }

    /// The script that started it and all below: with the virtual machine ends what hands its signals on.
    pub(super) fn script_pid(&self) -> u32 {
        self.server.id()
    }

    /// After it has ended: the same node on the same ports, with the data that is there.
    pub(super) fn start_again(&mut self, watchdog: &Watchdog) -> io::Result<()> {
        watchdog.forget(self.server.id())?;
        self.server.wait()?;
        // It would name the process that has ended.
        match fs::remove_file(self.directory.join("pid")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.server = watchdog.spawn(&mut self.command)?;
        Ok(())
    }

    /// `rabbitmqctl` for this node.
    pub(super) fn control(&self) -> Command {
        let mut command = Command::new(Path::new(self.command.get_program()).with_file_name("rabbitmqctl"));
        forget_own_settings(&mut command);
        command.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(&self.directory).stdin(Stdio::null());
        command
    }

    /// Its own log and what it wrote before it had one.
    pub(super) fn logs(&self) -> Vec<PathBuf> {
        let own = fs::read_dir(self.directory.join("log"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        std::iter::once(self.directory.join("output.log")).chain(own).collect()
    }

    /// Takes note of the end that the watchdog has brought about.
    pub(super) fn reap(&mut self) {
        for child in self.epmd.iter_mut().chain([&mut self.server]) {
            let _ = child.wait();
        }
    }
}

/// The shell we run in may be set up for another node.
fn forget_own_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("RABBITMQ_") || text.starts_with("ERL_") || text == "NOTIFY_SOCKET" {
            command.env_remove(name);
        }
    }
}

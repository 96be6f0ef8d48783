//! One RabbitMQ node in a container with a fixed name and address: made, killed, frozen, cut off, brought back.

use std::net::{IpAddr, SocketAddr};

use crate::cluster::docker::{docker, run};
use crate::error::Error;

pub const AMQP_PORT: u16 = 5672;
pub const MANAGEMENT_PORT: u16 = 15672;
/// Longer than RabbitMQ takes to stop; then Docker kills it.
const STOP_DEADLINE_S: &str = "60";

#[derive(Debug, Clone)]
pub struct Node {
    /// The host's name, with which the others know it: `mq1`.
    pub host: String,
    pub container: String,
    pub address: IpAddr,
}

impl Node {
    /// How RabbitMQ calls it.
    pub fn name(&self) -> String {
        format!("rabbit@{}", self.host)
    }

    pub fn amqp(&self) -> SocketAddr {
        SocketAddr::new(self.address, AMQP_PORT)
    }

    pub fn management(&self) -> SocketAddr {
        SocketAddr::new(self.address, MANAGEMENT_PORT)
    }

    pub async fn kill(&self) -> Result<(), Error> {
        docker(&["kill", &self.container]).await.map(drop)
    }

    pub async fn stop(&self) -> Result<(), Error> {
        docker(&["stop", "--time", STOP_DEADLINE_S, &self.container]).await.map(drop)
    }

    pub async fn start(&self) -> Result<(), Error> {
        docker(&["start", &self.container]).await.map(drop)
    }

    pub async fn pause(&self) -> Result<(), Error> {
        docker(&["pause", &self.container]).await.map(drop)
    }

    pub async fn unpause(&self) -> Result<(), Error> {
        docker(&["unpause", &self.container]).await.map(drop)
    }

    /// Nothing reaches it and nothing leaves it: packets vanish without an answer, as behind a broken switch.
    pub async fn isolate(&self) -> Result<(), Error> {
        self.iptables(&["-A", "INPUT", "!", "-i", "lo", "-j", "DROP"]).await?;
        self.iptables(&["-A", "OUTPUT", "!", "-o", "lo", "-j", "DROP"]).await
    }

    /// Packets from and to another node vanish; clients still reach it.
    pub async fn cut_off_from(&self, other: &Self) -> Result<(), Error> {
        let address = other.address.to_string();
        self.iptables(&["-A", "INPUT", "-s", &address, "-j", "DROP"]).await?;
        self.iptables(&["-A", "OUTPUT", "-d", &address, "-j", "DROP"]).await
    }

    /// Packets pass again.
    pub async fn reconnect(&self) -> Result<(), Error> {
        self.iptables(&["-F"]).await
    }

    /// In the container's own network namespace, by the machine's programs: the image need not have any.
    async fn iptables(&self, rule: &[&str]) -> Result<(), Error> {
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &self.container]).await?;
        let namespace = format!("--net=/proc/{pid}/ns/net");
        let mut command = vec![namespace.as_str(), "iptables", "--wait"];
        command.extend(rule);
        run("nsenter", &command).await.map(drop)
    }

    /// What it wrote: all of it, or the last lines.
    pub async fn log(&self, lines: Option<&str>) -> String {
        let mut command = tokio::process::Command::new("docker");
        command.args(["logs", "--tail", lines.unwrap_or("all"), &self.container]);
        let Ok(output) = command.output().await else { return String::new() };
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

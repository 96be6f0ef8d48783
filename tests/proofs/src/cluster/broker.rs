//! Three RabbitMQ nodes that form a cluster, and what they say about themselves.

use std::path::Path;
use std::time::Duration;

use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::services::{management, ports};
use millrace_testkit::wait::answer;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::cluster::configuration;
use crate::cluster::docker::{Network, docker};
use crate::cluster::node::Node;
use crate::cluster::options::Options;
use crate::error::Error;

pub const USER: &str = "millrace";
pub const SIZE: usize = 3;
const FORM_DEADLINE: Duration = Duration::from_secs(120);
/// A node that was away must have caught up with every queue by then.
pub const REJOIN_DEADLINE: Duration = Duration::from_secs(120);
const ANSWER_DEADLINE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct Broker {
    pub nodes: Vec<Node>,
    pub password: String,
}

/// What the management API says of a quorum queue.
#[derive(Debug, Clone, Deserialize)]
pub struct Queue {
    pub name: String,
    /// Nothing while there is none.
    pub leader: Option<String>,
    members: Option<Vec<String>>,
    online: Option<Vec<String>>,
    #[serde(default)]
    effective_policy_definition: serde_json::Value,
}

impl Queue {
    pub fn is_led_by(&self, node: &Node) -> bool {
        self.leader.as_deref() == Some(&node.name())
    }

    fn is_whole(&self) -> bool {
        let all = |nodes: &Option<Vec<String>>| nodes.as_ref().is_some_and(|nodes| nodes.len() == SIZE);
        let balanced = self.effective_policy_definition["queue-leader-locator"] == "balanced";
        let led = self.leader.as_ref().is_some_and(|leader| !leader.is_empty());
        balanced && led && all(&self.members) && all(&self.online)
    }
}

#[derive(Debug, Deserialize)]
struct Member {
    running: bool,
}

impl Broker {
    /// Makes and starts all nodes, and waits until each sees all.
    pub async fn start(
        options: &Options,
        network: &Network,
        folder: &Path,
        watchdog: &Watchdog,
    ) -> Result<Self, Error> {
        let mut nodes = Vec::new();
        for number in 1..=SIZE {
            let last = u8::try_from(10 + number).map_err(|error| Error::new("cluster", error))?;
            nodes.push(Node {
                host: format!("mq{number}"),
                container: format!("{}-mq{number}", network.name),
                address: network.address(last)?,
            });
        }
        let broker = Self { nodes, password: ports::password() };
        configuration::write(folder, options, &broker.nodes)?;
        for node in &broker.nodes {
            watchdog.remove_container(&node.container).map_err(Error::file(folder))?;
            broker.create(node, options.image(), network, folder).await?;
        }
        for node in &broker.nodes {
            node.start().await?;
        }
        broker.until_formed().await?;
        Ok(broker)
    }

    async fn create(&self, node: &Node, image: &str, network: &Network, folder: &Path) -> Result<(), Error> {
        let mut arguments = vec!["create".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([format!("--{name}"), value]);
        option("name", node.container.clone());
        option("hostname", node.host.clone());
        option("network", network.name.clone());
        option("ip", node.address.to_string());
        for other in &self.nodes {
            option("add-host", format!("{}:{}", other.host, other.address));
        }
        // Erlang walks through every file that it could have open, and some engines allow a billion.
        option("ulimit", "nofile=16384:16384".to_owned());
        option("env", format!("RABBITMQ_DEFAULT_USER={USER}"));
        option("env", format!("RABBITMQ_DEFAULT_PASS={}", self.password));
        arguments.push(image.to_owned());
        docker(&arguments).await?;
        for (file, place) in [
            ("rabbitmq.conf", "/etc/rabbitmq/conf.d/90-millrace.conf"),
            ("advanced.config", "/etc/rabbitmq/advanced.config"),
            ("cookie", "/var/lib/rabbitmq/.erlang.cookie"),
        ] {
            let file = folder.join(file).display().to_string();
            docker(&["cp", &file, &format!("{}:{place}", node.container)]).await?;
        }
        Ok(())
    }

    async fn until_formed(&self) -> Result<(), Error> {
        let formed = async || {
            for node in &self.nodes {
                let members: Vec<Member> = self.ask(node, "nodes").await?;
                let running = members.iter().filter(|member| member.running).count();
                if running < SIZE {
                    return Err(format!("{} sees {running} running nodes", node.host));
                }
            }
            Ok(())
        };
        let outcome = answer("a cluster of three nodes", FORM_DEADLINE, formed).await;
        if outcome.is_err() {
            for node in &self.nodes {
                eprintln!("--- {}\n{}", node.host, node.log(Some("25")).await);
            }
        }
        Ok(outcome?)
    }

    /// Until every queue has a leader, three members that are online, and the policy that spreads leaders.
    pub async fn until_whole(&self) -> Result<Vec<Queue>, Error> {
        let whole = async || {
            let queues = self.queues().await?;
            match queues.iter().find(|queue| !queue.is_whole()) {
                None if queues.is_empty() => Err("there are no queues".to_owned()),
                None => Ok(queues),
                Some(queue) => Err(format!("{queue:?}")),
            }
        };
        Ok(answer("three members of each queue", REJOIN_DEADLINE, whole).await?)
    }

    /// The node that leads a queue.
    pub async fn leader(&self, queue: &str) -> Result<&Node, Error> {
        let found = async || {
            let queues = self.queues().await?;
            let queue = queues.iter().find(|found| found.name == queue).ok_or("there is no such queue")?;
            let node = self.nodes.iter().find(|node| queue.is_led_by(node));
            node.ok_or_else(|| format!("it has the leader {:?}", queue.leader))
        };
        Ok(answer(&format!("a leader of `{queue}`"), REJOIN_DEADLINE, found).await?)
    }

    pub async fn version(&self) -> Result<String, Error> {
        let overview = management::get(&self.url(&self.nodes[0]), "overview").await?;
        Ok(overview["rabbitmq_version"].as_str().unwrap_or("of an unknown version").to_owned())
    }

    /// As one of the nodes tells it, whichever answers first.
    pub async fn queues(&self) -> Result<Vec<Queue>, String> {
        let mut refusal = String::new();
        for node in &self.nodes {
            match self.ask(node, "queues/%2f").await {
                Ok(queues) => return Ok(queues),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }

    /// Whether some queue would lose its majority without this node; also where it does not say.
    pub async fn is_critical(&self, node: &Node) -> bool {
        management::get(&self.url(node), "health/checks/node-is-quorum-critical").await.is_err()
    }

    /// What every node wrote, for whoever wants to look closer.
    pub async fn keep_logs(&self, folder: &Path) -> Result<(), Error> {
        for node in &self.nodes {
            let path = folder.join(format!("{}.log", node.host));
            std::fs::write(&path, node.log(None).await).map_err(Error::file(&path))?;
        }
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&self, node: &Node, path: &str) -> Result<T, String> {
        let asked = timeout(ANSWER_DEADLINE, management::get(&self.url(node), path)).await;
        let answer = asked.map_err(|_| format!("{} is silent", node.host))?;
        let value = answer.map_err(|error| format!("{}: {error}", node.host))?;
        serde_json::from_value(value).map_err(|error| format!("{}: {error}", node.host))
    }

    fn url(&self, node: &Node) -> String {
        format!("http://{USER}:{}@{}", self.password, node.management())
    }
}

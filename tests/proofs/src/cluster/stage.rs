//! Everything that one scenario is played on: the cluster, the database, the balancers and the programs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use millrace_testkit::services::watchdog::Watchdog;
use uuid::Uuid;

use crate::cluster::balancer::{ACCEPT_DEADLINE, Balancer};
use crate::cluster::broker::{Broker, Queue, SIZE, USER};
use crate::cluster::database::Database;
use crate::cluster::docker::Network;
use crate::cluster::node::Node;
use crate::cluster::programs::{Addresses, Programs};
use crate::cluster::settings::Settings;
use crate::cluster::trouble::Trouble;

/// Time for programs to notice that their connections have ended.
const NOTICE: Duration = Duration::from_secs(1);

/// What is dropped first stands first: the network can go only when its containers are gone.
#[derive(Debug)]
pub struct Stage {
    pub programs: Programs,
    pub broker: Broker,
    pub database: Database,
    /// Where the checker finds the servers: over balancers that are never gathered.
    pub addresses: Addresses,
    /// Through which the programs reach the brokers.
    balancer: Balancer,
    _others: [Balancer; 2],
    pub watchdog: Watchdog,
    _network: Network,
}

impl Stage {
    pub async fn set_up(settings: &Settings, folder: &Path) -> Result<Self, Trouble> {
        let id = Uuid::now_v7().simple().to_string();
        let network = Network::create(&id[20..]).await?;
        let watchdog = Watchdog::start().map_err(Trouble::file("/bin/sh"))?;
        let (broker, database) = tokio::try_join!(
            Broker::start(settings, &network, folder, &watchdog),
            Database::start(settings.images.postgres, &network, &watchdog),
        )?;
        let balance = async |port: fn(&Node) -> SocketAddr| {
            let nodes = broker.nodes.iter().map(port).collect();
            Balancer::start(nodes).await.map_err(Trouble::file("a free port"))
        };
        let (balancer, direct, management) =
            (balance(Node::amqp).await?, balance(Node::amqp).await?, balance(Node::management).await?);
        let through = |amqp: &Balancer| {
            let login = format!("{USER}:{}", broker.password);
            Addresses {
                amqp_url: format!("amqp://{login}@{}/%2f", amqp.address),
                management_url: format!("http://{login}@{}", management.address),
                database_url: database.url.clone(),
            }
        };
        let programs =
            Programs::start(&settings.programs.folder(), folder, &through(&balancer), &watchdog).await?;
        let addresses = through(&direct);
        let others = [direct, management];
        Ok(Self {
            programs,
            broker,
            database,
            addresses,
            balancer,
            _others: others,
            watchdog,
            _network: network,
        })
    }

    /// Prints what the times depend on, once all queues have their members.
    pub async fn describe(&self, settings: &Settings) -> Result<(), Trouble> {
        let queues = self.broker.until_whole().await?;
        let (rabbitmq, postgres) = (self.broker.version().await?, self.database.version().await?);
        println!(
            "  RabbitMQ {rabbitmq} on {SIZE} nodes, PostgreSQL {postgres}; net_ticktime {} s, pause_minority (which \
             Khepri does not know), consumer_disconnected_timeout {} s (from 4.3 on), Raft timeouts as they come, AMQP \
             heartbeat 10 s, the door's publish deadline 1 s; a balancer that passes over a node which does not accept \
             within {} s, and checks nothing else",
            settings.net_ticktime_s,
            settings.disconnected_timeout_s.unwrap_or(60),
            ACCEPT_DEADLINE.as_secs()
        );
        println!(
            "  {} queues, each with {SIZE} members; leaders: {}",
            queues.len(),
            leaders(&queues, &self.broker.nodes)
        );
        Ok(())
    }

    /// The worst case: all programs have their connections on this node.
    pub async fn gather_on(&self, node: &Node) -> Result<(), Trouble> {
        self.balancer.gather(node.amqp());
        tokio::time::sleep(NOTICE).await;
        self.programs.until_ready().await?;
        self.balancer.spread();
        Ok(())
    }
}

fn leaders(queues: &[Queue], nodes: &[Node]) -> String {
    let led = |node: &Node| queues.iter().filter(|queue| queue.is_led_by(node)).count();
    nodes.iter().map(|node| format!("{} {}", node.host, led(node))).collect::<Vec<_>>().join(", ")
}

/// A new folder of a scenario's own.
pub fn folder(settings: &Settings, scenario: &str) -> Result<PathBuf, Trouble> {
    let folder = settings.history.join(scenario);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Trouble::file(&folder)(error)),
        _ => std::fs::create_dir_all(&folder).map_err(Trouble::file(&folder)),
    }?;
    Ok(folder)
}

//! Everything that one scenario runs on: the cluster, the database, the balancers and the programs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use millrace_contracts::catalog;
use millrace_testkit::services::watchdog::Watchdog;
use millrace_testkit::stack::program::Log;
use millrace_testkit::stack::proxy::{ACCEPT_DEADLINE, Proxy};
use millrace_testkit::stack::{Addresses, Launcher, Secrets, Units, free_address};
use uuid::Uuid;

use crate::checker::options::Endpoints;
use crate::cluster::broker::{Broker, Queue, SIZE, USER};
use crate::cluster::database::Database;
use crate::cluster::docker::Network;
use crate::cluster::node::Node;
use crate::cluster::options::Options;
use crate::error::Error;

const WORKERS_EACH: usize = 2;
/// Time for programs to notice that their connections have ended.
const NOTICE: Duration = Duration::from_secs(1);
const READY_DEADLINE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Stack {
    pub units: Units,
    pub broker: Broker,
    pub database: Database,
    /// Where the checker finds everything: over balancers that are never gathered.
    pub endpoints: Endpoints,
    /// Through which the programs reach the brokers.
    balancer: Proxy,
    _others: [Proxy; 2],
}

impl Stack {
    pub async fn set_up(options: &Options, folder: &Path) -> Result<Self, Error> {
        let id = Uuid::now_v7().simple().to_string();
        let watchdog = Arc::new(Watchdog::start()?);
        let network = Network::create(&id[20..], &watchdog).await?;
        let (broker, database) = tokio::try_join!(
            Broker::start(options, &network, folder, &watchdog),
            Database::start(options.images.postgres, &network, &watchdog),
        )?;
        let balance = async |port: fn(&Node) -> SocketAddr| {
            Proxy::balancing(broker.nodes.iter().map(port).collect()).await
        };
        let (balancer, direct, management) =
            (balance(Node::amqp).await?, balance(Node::amqp).await?, balance(Node::management).await?);
        let login = format!("{USER}:{}", broker.password);
        let through = |amqp: &Proxy| Addresses {
            amqp_url: format!("amqp://{login}@{}/%2f", amqp.address()),
            management_url: format!("http://{login}@{}", management.address()),
            database_url: database.url.clone(),
        };
        let launcher = Launcher {
            programs: options.programs.folder(),
            log: Log::Files(folder.to_owned()),
            environment: Vec::new(),
            watchdog,
        };
        let (servers, secrets) = (through(&balancer), Secrets::random());
        launcher.prepare(&servers)?;
        let domains: Vec<_> = catalog().domains().iter().map(ToString::to_string).collect();
        let workers = (&domains[..], WORKERS_EACH);
        let units = launcher.system(&[free_address()?], workers, &secrets, [&servers, &servers])?;
        let endpoints = Endpoints::new(&units.api_urls(), &secrets.api_key, "%2f", &through(&direct))?;
        units.until_ready(READY_DEADLINE).await?;
        Ok(Self { units, broker, database, endpoints, balancer, _others: [direct, management] })
    }

    /// Prints what the times depend on, once all queues have their members.
    pub async fn describe(&self, options: &Options) -> Result<(), Error> {
        let queues = self.broker.until_whole().await?;
        let (rabbitmq, postgres) = (self.broker.version().await?, self.database.version().await?);
        println!(
            "  RabbitMQ {rabbitmq} on {SIZE} nodes, PostgreSQL {postgres}; net_ticktime {} s, pause_minority (which \
             Khepri does not know), consumer_disconnected_timeout {} s (from 4.3 on), Raft timeouts as they come, AMQP \
             heartbeat 10 s, the API's publish deadline 1 s; a balancer that passes over a node which does not accept \
             within {} s, and checks nothing else",
            options.net_ticktime_s,
            options.disconnected_timeout_s.unwrap_or(60),
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
    pub async fn gather_on(&self, node: &Node) -> Result<(), Error> {
        self.balancer.gather(node.amqp());
        tokio::time::sleep(NOTICE).await;
        self.units.until_ready(READY_DEADLINE).await?;
        self.balancer.spread();
        Ok(())
    }
}

fn leaders(queues: &[Queue], nodes: &[Node]) -> String {
    let led = |node: &Node| queues.iter().filter(|queue| queue.is_led_by(node)).count();
    nodes.iter().map(|node| format!("{} {}", node.host, led(node))).collect::<Vec<_>>().join(", ")
}

/// A new folder of a scenario's own.
pub fn folder(options: &Options, scenario: &str) -> Result<PathBuf, Error> {
    let folder = options.history.join(scenario);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(&folder)(error)),
        _ => std::fs::create_dir_all(&folder).map_err(Error::file(&folder)),
    }?;
    Ok(folder)
}

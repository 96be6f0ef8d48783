//! The scenarios, step by step: what is done to which node, and when.

use std::time::Duration;

use millrace_testkit::wait::answer;
use tokio::time::sleep;

use crate::cluster::broker::{Broker, REJOIN_DEADLINE};
use crate::cluster::history::{Seconds, now};
use crate::cluster::node::Node;
use crate::cluster::scenario::{Scenario, limit};
use crate::error::Error;

/// The queue whose leader is the victim: what is measured goes into it.
pub const QUEUE: &str = "orders";
/// Load before the first event and after the last.
const CALM: Duration = Duration::from_secs(5);
const AFTERMATH: Duration = Duration::from_secs(15);
/// How long a node is away.
const DEAD: Duration = Duration::from_secs(20);
const SILENT: Duration = Duration::from_secs(45);

/// Something that was done to the cluster.
#[derive(Debug, Clone)]
pub struct Event {
    pub what: String,
    pub at: Seconds,
    /// `None` where no service is expected until the next event.
    pub limit: Option<Duration>,
}

/// The events so far; one is noted when what it tells begins.
#[derive(Debug, Default)]
pub struct Course(pub Vec<Event>);

impl Course {
    fn now(&mut self, what: String, limit: impl Into<Option<Duration>>) {
        println!("  {what}");
        self.0.push(Event { what, at: now(), limit: limit.into() });
    }
}

/// Whom it befalls; everybody's connections are on this node when it does.
pub async fn victim(scenario: Scenario, broker: &Broker) -> Result<&Node, Error> {
    let leader = broker.leader(QUEUE).await?;
    match scenario {
        Scenario::MinorityCutOff => Ok(others(leader, broker)[0]),
        _ => Ok(leader),
    }
}

/// Does what the scenario says while the load goes on, and mends it.
pub async fn perform(scenario: Scenario, victim: &Node, broker: &Broker) -> Result<Course, Error> {
    let mut course = Course::default();
    let others = others(victim, broker);
    let name = &victim.host;
    sleep(CALM).await;
    match scenario {
        Scenario::LeaderKilled => {
            course.now(format!("{name} killed"), limit::DEAD);
            victim.kill().await?;
            sleep(DEAD).await;
            course.now(format!("{name} started again"), limit::MENDED);
            victim.start().await?;
        }
        Scenario::LeaderPaused => {
            course.now(format!("{name} frozen"), limit::SILENT);
            victim.pause().await?;
            sleep(SILENT).await;
            course.now(format!("{name} thawed"), limit::MENDED);
            victim.unpause().await?;
        }
        Scenario::LeaderPartitioned => {
            course.now(format!("{name} cut off from everybody"), limit::SILENT);
            victim.isolate().await?;
            sleep(SILENT).await;
            course.now(format!("{name} reachable again"), limit::MENDED);
            victim.reconnect().await?;
        }
        Scenario::LeaderCutOff | Scenario::MinorityCutOff => {
            course.now(format!("{name} cut off from the other nodes, not from clients"), limit::SILENT);
            for other in &others {
                victim.cut_off_from(other).await?;
            }
            sleep(SILENT).await;
            course.now(format!("{name} sees the others again"), limit::MENDED);
            victim.reconnect().await?;
        }
        Scenario::MajorityLost => {
            let other = others[0];
            course.now(format!("{name} and {} killed", other.host), None);
            tokio::try_join!(victim.kill(), other.kill())?;
            sleep(DEAD).await;
            course.now(format!("{name} and {} started again", other.host), limit::BOOT);
            tokio::try_join!(victim.start(), other.start())?;
        }
        Scenario::RollingRestart => {
            for node in &broker.nodes {
                let safe = async || match broker.is_critical(node).await {
                    false => Ok(()),
                    true => Err(format!("without {} some queue has no majority", node.host)),
                };
                answer("a safe moment for a restart", REJOIN_DEADLINE, safe).await?;
                course.now(format!("{} restarted", node.host), limit::DEAD);
                node.stop().await?;
                node.start().await?;
                broker.until_whole().await?;
            }
        }
    }
    broker.until_whole().await?;
    sleep(AFTERMATH).await;
    Ok(course)
}

fn others<'a>(node: &Node, broker: &'a Broker) -> Vec<&'a Node> {
    broker.nodes.iter().filter(|other| other.host != node.host).collect()
}
